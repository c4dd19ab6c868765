// The frame of every signed-in page: rail or bottom bar, and the top bar.
import { Outlet, Link, useLocation } from '@tanstack/react-router'
import { Tooltip } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import {
  IconBell,
  IconCamera,
  IconDatabase,
  IconLayoutDashboard,
  IconListDetails,
  IconServer2,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { formatCount } from '../format.ts'
import { useLiveChanges } from '../live.ts'
import { trpc } from '../trpc.ts'
import { CrumbSlot } from './crumbs.tsx'
import { DatabaseNotice } from './database-notice.tsx'
import { Logo } from './logo.tsx'
import { PlainHttpWarning } from './plain-http.tsx'
import { ProviderProblem } from './provider-problem.tsx'
import { TopBarEnd } from './top-bar-end.tsx'
import { UserMenu } from './user-menu.tsx'
import './shell.css'

/** On a phone the bottom bar has room for four; the rest is under More. */
const entries = [
  { to: '/', word: 'Overview', icon: IconLayoutDashboard },
  { to: '/attention', word: 'Attention', icon: IconBell },
  { to: '/hosts', word: 'Hosts', icon: IconServer2 },
  { to: '/jobs', word: 'Jobs', icon: IconListDetails },
  { to: '/snapshots', word: 'Snapshots', icon: IconCamera, wideOnly: true },
  { to: '/repositories', word: 'Repositories', icon: IconDatabase, wideOnly: true },
] as const

type Count = { text: string; bad?: boolean } | undefined

function useCounts(): Record<(typeof entries)[number]['to'], Count> {
  const counts = useQuery(trpc.overview.counts.queryOptions()).data
  const { hosts, running = 0, repositories, alerts = { red: 0, amber: 0 } } = counts ?? {}
  const open = alerts.red + alerts.amber
  const of = (count: number | undefined) => (count === undefined ? undefined : { text: formatCount(count) })
  return {
    '/': undefined,
    '/attention': open === 0 ? undefined : { text: formatCount(open), bad: alerts.red > 0 },
    '/hosts': of(hosts),
    '/jobs': running === 0 ? undefined : { text: `${formatCount(running)} running` },
    '/snapshots': undefined,
    '/repositories': of(repositories),
  }
}

function Rail() {
  const counts = useCounts()
  const narrow = useMediaQuery('(min-width: 768px) and (max-width: 1199px)') ?? false
  return (
    <div className="rail">
      <Link to="/" className="rail-name" aria-label="restic-manager">
        <Logo />
        <span className="rail-word">restic-manager</span>
      </Link>
      <nav aria-label="Pages" className="rail-entries">
        {entries.map(({ to, word, icon: Icon, ...more }) => (
          <Tooltip key={to} label={word} position="right" disabled={!narrow}>
            <Link
              to={to}
              className={`rail-entry ${'wideOnly' in more ? 'rail-wide-only' : ''}`}
              activeProps={{ className: 'rail-here' }}
              activeOptions={{ exact: to === '/' }}
              aria-label={narrow ? word : undefined}
            >
              <Icon size={18} stroke={1.6} aria-hidden />
              <span className="rail-word">{word}</span>
              <span className={`rail-count num ${counts[to]?.bad === true ? 'rail-count-bad' : ''}`}>
                {counts[to]?.text}
              </span>
            </Link>
          </Tooltip>
        ))}
      </nav>
      <UserMenu />
    </div>
  )
}

/** Everything around a signed-in page. */
export function Shell() {
  useLiveChanges()
  const [slot, setSlot] = useState<HTMLElement | null>(null)
  const { pathname } = useLocation()
  return (
    <CrumbSlot value={slot}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <Rail />
      <header className="top-bar">
        <span className="top-bar-logo">
          <Logo />
        </span>
        <nav className="grow" aria-label="Where you are" ref={setSlot} />
        <TopBarEnd />
      </header>
      <main id="main" className="page" tabIndex={-1} key={pathname}>
        <PlainHttpWarning />
        <ProviderProblem />
        <DatabaseNotice />
        <Outlet />
      </main>
    </CrumbSlot>
  )
}
