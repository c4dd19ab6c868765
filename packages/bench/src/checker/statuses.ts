// I3: a job's status moves only along the table, a guess gives way to a fact, and what an agent reported is final.
import { JobStatus, nextStatuses } from '@restic-manager/contract/job'
import { glance, shownBy, type Check, type World } from './world.ts'
import type { Move } from './watch.ts'

/** What the first thing known of a job may be: of a slot perhaps that it did not run. */
const beginnings = new Set(['queued', 'missed', 'skipped'])
/** What may be taken out of the records: what was only guessed, or ordered and not taken on. */
const guesses = new Set(['queued', 'missed', 'skipped'])

export const checkStatuses: Check = world => {
  const strays = [...world.moves].flatMap(([jobId, moves]) => {
    const why = faultOfPath(moves)
    return why === undefined ? [] : [{ jobId, why, path: moves.map(shown) }]
  })
  return [
    ...shownBy('I3', 'A job moved in a way the table does not know.', strays),
    ...shownBy('I3', 'The end that an agent told is not the end that stands.', otherEnds(world)),
    ...shownBy('I3', 'An agent told two ends of one job.', secondEnds(world)),
    ...shownBy('I3', 'A session that was over was believed.', believedOldSessions(world)),
  ]
}

const shown = ({ step, status, reported }: Move) =>
  step === 'delete' ? 'removed' : `${status}${reported ? ' (reported)' : ''}`

/** Why a path cannot be; undefined: it can. */
export function faultOfPath(moves: readonly Move[]): string | undefined {
  let before: Move | undefined
  for (const move of moves) {
    const why = faultOfStep(before, move)
    if (why !== undefined) return why
    before = move.step === 'delete' ? undefined : move
  }
  return undefined
}

function faultOfStep(before: Move | undefined, move: Move): string | undefined {
  if (before === undefined) return beginnings.has(move.status) ? undefined : `it began as ${move.status}`
  if (before.reported)
    return move.step === 'delete'
      ? 'a reported end was removed'
      : `${before.status} was reported, and then it was ${shown(move)}`
  if (move.step === 'delete')
    return guesses.has(before.status) ? undefined : `it was removed while ${before.status}`
  if (before.status === move.status) return undefined
  const from = JobStatus.parse(before.status)
  // A cancel of a job nobody had accepted is a wish: what the agent says replaces it.
  const next: readonly string[] = from === 'cancelled' ? nextStatuses.lost : nextStatuses[from]
  return next.includes(move.status) ? undefined : `${before.status} became ${move.status}`
}

function otherEnds({ books, jobs }: World) {
  return books.flatMap(({ hostId, facts }) =>
    facts.flatMap(({ name, message, acked, setAside }) => {
      if (name !== 'job.finished' || !acked || setAside !== null) return []
      const row = jobs.get(String(message['jobId']))
      return row === undefined || (row.status === message['status'] && row.reported && row.hostId === hostId)
        ? []
        : [{ told: message['status'], by: hostId, ...glance(row) }]
    }),
  )
}

const secondEnds = ({ books }: World) =>
  books.flatMap(({ hostId, facts }) => {
    const ends = facts.filter(({ name, setAside }) => name === 'job.finished' && setAside === null)
    return [...Map.groupBy(ends, ({ message }) => message['jobId'])].flatMap(([jobId, told]) =>
      told.length > 1
        ? [{ hostId, jobId, told: told.map(({ seq, message }) => [seq, message['status']]) }]
        : [],
    )
  })

const believedOldSessions = ({ evidence }: World) =>
  evidence.simulated.flatMap(({ hostId, oldSessionTaken }) =>
    oldSessionTaken.map(taken => ({ hostId, ...taken })),
  )
