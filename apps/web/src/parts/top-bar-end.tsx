// The right end of the top bar: the search box, which zone times are in, and whether the page is live.
import { SegmentedControl } from '@mantine/core'
import { useNow } from '../clock.ts'
import { formatClock } from '../format.ts'
import { useLink } from '../link.ts'
import { chooseZone, useZone, useZoneChoice, type ZoneChoice } from '../time-zone.ts'
import { SearchBox } from './search-box.tsx'
import './top-bar-end.css'

/** The zone switch; the host's zone is offered where one is known. */
export function ZoneSwitch() {
  const { choice, hostZone } = useZoneChoice()
  const options: { value: ZoneChoice; label: string }[] = [
    { value: 'browser', label: 'Browser' },
    ...(hostZone === undefined ? [] : [{ value: 'host' as const, label: 'Host' }]),
    { value: 'utc', label: 'UTC' },
  ]
  return (
    <SegmentedControl
      aria-label="Times in"
      data={options}
      value={choice === 'host' && hostZone === undefined ? 'browser' : choice}
      onChange={value => chooseZone(value as ZoneChoice)}
    />
  )
}

function LinkState() {
  const { live, asOf, silentSince } = useLink()
  const isFresh = live && silentSince === undefined
  const now = useNow(10_000)
  const zone = useZone()
  return (
    <span className={isFresh ? 'link-state' : 'link-state link-lost'} role="status">
      <span className="link-dot" aria-hidden />
      {isFresh ? (
        <>
          Live<span className="link-clock num"> · {formatClock(now, zone)}</span>
        </>
      ) : (
        <>
          {live ? 'not up to date' : 'reconnecting'}
          <span className="link-clock num">, data as of {formatClock(silentSince ?? asOf, zone)}</span>
        </>
      )}
    </span>
  )
}

/** What stands at the right of the top bar on every page. */
export function TopBarEnd() {
  return (
    <>
      <SearchBox />
      <span className="top-bar-zone">
        <ZoneSwitch />
      </span>
      <LinkState />
    </>
  )
}
