// The first thing on the Overview: whether everything is backed up, and if not, why.
import type { FleetStanding } from '@restic-manager/contract/overview'
import { Link } from '@tanstack/react-router'
import { useNow } from '../clock.ts'
import { fleetCauses, fleetHeadline } from '../fleet-words.ts'
import { useZone } from '../time-zone.ts'
import { FleetBar } from './fleet-bar.tsx'

/** The sentence and the bar. What is bad leads to where it is looked at. */
export function OverviewHead({ standing }: { standing: FleetStanding }) {
  const now = useNow(60_000)
  const zone = useZone()
  const causes = fleetCauses(standing, now, zone)
  return (
    <div className="stack overview-head">
      <div>
        <h1 className="page-title">{fleetHeadline(standing)}</h1>
        {causes.length > 0 && (
          <p className="overview-causes">
            {causes.map((part, index) => {
              if (typeof part === 'string') return part
              // The parts of a sentence never move.
              const key = index
              return part.hostId === undefined ? (
                <Link key={key} to="/attention" className="tone-bad overview-bad">
                  {part.bad}
                </Link>
              ) : (
                <Link
                  key={key}
                  to="/hosts/$hostId"
                  params={{ hostId: part.hostId }}
                  className="tone-bad overview-bad"
                >
                  {part.bad}
                </Link>
              )
            })}
          </p>
        )}
      </div>
      {standing.total > 0 && <FleetBar standing={standing} />}
    </div>
  )
}
