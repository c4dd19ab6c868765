// The fleet as one bar: protected, protected with unread files, not protected, and what was left out on purpose.
import type { FleetStanding } from '@restic-manager/contract/overview'
import { fleetParts } from '../fleet-words.ts'
import { formatCount } from '../format.ts'
import './fleet-bar.css'

/** Shapes tell the parts apart as well as colours. Every part that has a host is seen, however large the fleet. */
export function FleetBar({ standing }: { standing: FleetStanding }) {
  const parts = fleetParts(standing)
  const met = standing.planned === 0 ? undefined : standing.withinObjective / standing.planned
  return (
    <div className="fleet-bar-box">
      <div className="fleet-bar" aria-hidden>
        {parts.map(({ look, word, count }) => (
          <span key={word} className={`fleet-part mark-${look}`} style={{ flexGrow: count }} />
        ))}
      </div>
      <div className="row row-wrap fleet-legend">
        <ul className="row row-wrap">
          {parts.map(({ look, word, count }) => (
            <li key={word} className="legend-entry">
              <span className={`legend-mark mark-${look}`} aria-hidden />
              <span>
                <span className="num">{formatCount(count)}</span> {word}
              </span>
            </li>
          ))}
        </ul>
        {met !== undefined && (
          <span className="dim num fleet-objective">
            Objective met by{' '}
            {met === 1 ? 'every planned host' : `${Math.floor(met * 100)} % of planned hosts`}
          </span>
        )}
      </div>
    </div>
  )
}
