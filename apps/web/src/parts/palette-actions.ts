// The pages the palette leads to, and what it does by itself.
import { useMantineColorScheme } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useMay, useMayForAll } from '../me.ts'
import type { Choice } from '../palette-choices.ts'
import { useRequestId } from '../request-id.ts'
import { signOut } from '../session.ts'
import { chooseZone, useZoneChoice } from '../time-zone.ts'
import { queryClient, sentenceFor, trpc } from '../trpc.ts'
import type { Opened } from './search-box.tsx'

const page = (href: string, word: string, also = ''): Choice => ({
  ...{ key: `page:${href}`, kind: 'page', word, href, also: `go to page ${also}` },
})
const action = (word: string, act: () => void, also = ''): Choice => ({
  ...{ key: `action:${word}`, kind: 'action', word, act, also },
})

/** What is offered beside what was found, as far as who is signed in may do it. */
export function usePaletteActions(show: (what: Opened) => void, onClose: () => void) {
  const isAdmin = useMay('admin')
  const isAdminOfAll = useMayForAll('admin')
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { choice: zone, hostZone } = useZoneChoice()
  const { history, navigate } = useRouter()
  const { idFor, done } = useRequestId()
  const leave = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      await navigate({ to: '/sign-in' })
      queryClient.clear()
    },
  })
  const start = useMutation(
    trpc.schedules.runNow.mutationOptions({
      onSuccess: ({ jobIds: [jobId] }) => {
        done()
        onClose()
        history.push(jobId === undefined ? '/jobs' : `/jobs/${jobId}`)
      },
    }),
  )
  const schemes = { light: 'Light colours', dark: 'Dark colours', auto: 'Colours of the system' } as const
  const zones = {
    browser: 'Times in the zone of this browser',
    host: 'Times in the zone of the host',
    utc: 'Times in UTC',
  }
  const error = leave.error ?? start.error
  return {
    pages: [
      page('/hosts', 'Hosts', 'machines agents'),
      page('/jobs', 'Jobs', 'runs log'),
      page('/repositories', 'Repositories', 'storage'),
      page('/attention', 'Needs attention', 'alerts'),
      page('/settings', 'Settings'),
      ...(isAdminOfAll ? [page('/settings/users', 'Users', 'settings operators invite')] : []),
      ...(isAdmin ? [page('/settings/audit', 'Audit log', 'settings')] : []),
      page('/account', 'Your account', 'password passkey api keys sessions'),
    ],
    actions: [
      ...(isAdmin ? [action('Add host', () => show('add host'), 'enrol machine')] : []),
      ...(isAdmin
        ? [{ ...page('/repositories/add', 'Add repository', 'storage new'), kind: 'action' as const }]
        : []),
      ...(Object.keys(schemes) as (keyof typeof schemes)[])
        .filter(scheme => scheme !== colorScheme)
        .map(scheme => action(schemes[scheme], () => setColorScheme(scheme), 'theme switch scheme mode')),
      ...(Object.keys(zones) as (keyof typeof zones)[])
        .filter(each => each !== zone && (each !== 'host' || hostZone !== undefined))
        .map(each => action(zones[each], () => chooseZone(each), 'switch time zone')),
      action('Keys', () => show('help'), 'keyboard shortcuts help ?'),
      { ...action('Sign out', () => leave.mutate(), 'log out leave'), stays: true as const },
    ],
    run: (scheduleId: string) => start.mutate({ requestId: idFor(scheduleId), scheduleId }),
    problem: error === null ? undefined : sentenceFor(error),
  }
}
