// How the fleet stands, in one sentence: what is protected first, then each cause that is not, then what was left out on purpose.
import type { FleetStanding, Protection } from '@restic-manager/contract/overview'
import { countOf, formatCount, formatDay } from './format.ts'

type Cause = FleetStanding['causes'][number]

/** Text with what is bad in it, and where it leads. */
export type FleetPhrase = (string | { bad: string; hostId?: string })[]

const bad = ({ only }: Cause, text: string): FleetPhrase[number] =>
  only === null ? { bad: text } : { bad: text, hostId: only.id }

const are = (count: number): string => (count === 1 ? 'is' : 'are')

/** One clause. The first of the sentence says what it counts. */
function clauseOf(cause: Cause, first: boolean, now: number, zone: string | undefined): FleetPhrase {
  const { count, since } = cause
  const whom = first ? countOf(count, 'host') : formatCount(count)
  const sinceDay = since === null ? '' : ` since ${dayInWords(since, now, zone)}`
  switch (cause.cause) {
    case 'failing':
      return [
        bad(cause, `${whom} ${count === 1 ? 'fails' : 'fail'}`),
        count === 1 ? ' its backups' : ' their backups',
      ]
    case 'silent':
      return [bad(cause, `${whom} ${are(count)} silent`), sinceDay]
    case 'missed':
      return [
        bad(cause, `${whom} ${count === 1 ? 'was' : 'were'} asleep`),
        count === 1 ? ' at its slots' : ' at their slots',
      ]
    case 'quarantined':
      return [bad(cause, `${whom} ${are(count)} quarantined`)]
    case 'never':
      return [bad(cause, `${whom} ${count === 1 ? 'has' : 'have'} no backup yet`)]
  }
}

/** A day as it stands after "since": a weekday within the last week. */
function dayInWords(at: Date, now: number, zone: string | undefined): string {
  const day = formatDay(at, now, zone)
  if (day === 'today' || day === 'yesterday') return day
  const recent = now - at.getTime() < 6 * 86_400_000
  return recent
    ? new Intl.DateTimeFormat('en-GB', {
        weekday: 'long',
        ...(zone !== undefined && { timeZone: zone }),
      }).format(at)
    : day
}

const aside = (count: number, what: string): string[] =>
  count === 0 ? [] : [`${formatCount(count)} ${what}`]

const joined = (parts: FleetPhrase[]): FleetPhrase =>
  parts.flatMap((part, index) => [
    ...(index === 0 ? [] : [index === parts.length - 1 ? (parts.length > 2 ? ', and ' : ' and ') : ', ']),
    ...part,
  ])

/** "34 of 40 hosts are protected." Those nobody planned anything for are counted among the others. */
export function fleetHeadline({ total, counts }: FleetStanding): string {
  const good = counts.protected + counts.incomplete
  if (total === 0) return 'No host yet.'
  if (good === total)
    return total === 1 ? 'Your host is protected.' : `All ${formatCount(total)} hosts are protected.`
  if (good === 0)
    return total === 1
      ? 'Your host is not protected yet.'
      : `None of ${formatCount(total)} hosts is protected.`
  return `${formatCount(good)} of ${formatCount(total)} hosts ${are(good)} protected.`
}

/** Why the others are not. Empty when there is nothing to say: success is silent. */
export function fleetCauses(standing: FleetStanding, now: number, zone?: string): FleetPhrase {
  const { causes, counts, retentionTroubled } = standing
  const clauses = causes.map((cause, index) => clauseOf(cause, index === 0, now, zone))
  const others = [
    ...aside(counts.paused, `${are(counts.paused)} paused`),
    ...aside(counts.waiting, `${counts.waiting === 1 ? 'waits' : 'wait'} for approval`),
    ...aside(counts.unplanned, `${counts.unplanned === 1 ? 'has' : 'have'} no backup planned`),
  ].map((text): FleetPhrase => [text])
  const all = joined([...clauses, ...others])
  return [
    ...all,
    ...(all.length > 0 ? ['.'] : []),
    ...(retentionTroubled > 0
      ? [
          `${all.length > 0 ? ' ' : ''}Retention `,
          {
            bad: `is in trouble on ${retentionTroubled === 1 ? '1 repository' : `${formatCount(retentionTroubled)} repositories`}`,
          },
          '.',
        ]
      : []),
  ]
}

/** The parts of the bar, in their order; what is empty is left out. */
export function fleetParts({ counts, causes }: FleetStanding) {
  const unprotected = causes.reduce((sum, { count }) => sum + count, 0)
  const idle: Protection[] = ['paused', 'waiting', 'unplanned']
  const words: Record<string, string> = {
    paused: 'paused',
    waiting: counts.waiting === 1 ? 'waits for approval' : 'wait for approval',
    unplanned: 'not planned',
  }
  return [
    { look: 'good', count: counts.protected, word: 'protected' },
    { look: 'warn', count: counts.incomplete, word: 'protected, incomplete' },
    { look: 'bad', count: unprotected, word: 'not protected' },
    ...idle.map(key => ({ look: 'idle', count: counts[key], word: words[key] ?? key })),
  ].filter(({ count }) => count > 0)
}
