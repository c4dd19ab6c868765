// A schedule as sentences: what it does, when, and on whose behalf, as somebody would say it.
import type { ScheduleDraft, ScheduleKind } from '@restic-manager/contract/schedule'
import type { RepositoryView } from '@restic-manager/contract/views'
import { countOf } from './format.ts'
import { retentionInShort, tidyRetention } from './retention-words.ts'
import { timetableInWords } from './timetable.ts'

/** Text with what matters in it. */
export type Phrase = (string | { strong: string })[]

const strong = (text: string) => ({ strong: text })

/** The words alone. */
export const plainText = (phrase: Phrase): string =>
  phrase.map(part => (typeof part === 'string' ? part : part.strong)).join('')

const listOf = (names: string[]): Phrase =>
  names.flatMap((name, index): Phrase => {
    if (index === 0) return [strong(name)]
    return [index === names.length - 1 ? ' and ' : ', ', strong(name)]
  })

/** A length of time given in seconds, as people say it: "15 min", "1 h 30 min". */
export function secondsInWords(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (hours === 0) return `${minutes} min`
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
}

type Placed = Pick<RepositoryView, 'mayDelete' | 'maintenanceHost'>

/** Which host carries a job out: its own, the repository's maintenance host, or null for nobody. */
export function runsOn(
  kind: ScheduleKind,
  host: { id: string; name: string },
  { mayDelete, maintenanceHost }: Placed,
): { id: string; name: string } | null {
  if (kind === 'backup') return host
  if (kind === 'forget') return mayDelete ? host : maintenanceHost
  return kind === 'prune' ? maintenanceHost : (maintenanceHost ?? host)
}

export type Known = {
  host: { id: string; name: string }
  /** In the order they run. */
  repositories: (Placed & { name: string })[]
  /** Names of the backup schedules a forget thins. */
  forgets: string[]
}

function whatItDoes(draft: ScheduleDraft, { host, repositories, forgets }: Known): Phrase {
  const names = repositories.map(({ name }) => name)
  const to: Phrase = names.length === 0 ? ['a repository you choose'] : listOf(names)
  switch (draft.kind) {
    case 'backup': {
      const [first, ...others] = draft.paths ?? []
      const what: Phrase =
        first === undefined
          ? ['folders you choose']
          : others.length === 0
            ? [strong(first)]
            : [strong(first), ' and ', strong(`${countOf(others.length, 'more folder')}`)]
      return [strong(host.name), ' backs up ', ...what, ' to ', ...to]
    }
    case 'forget': {
      const whose: Phrase = forgets.length === 0 ? ['schedules you choose'] : listOf(forgets)
      const retention = tidyRetention(draft.retention ?? {})
      const kept = strong(retentionInShort(retention))
      const isOne = retention.last === 1 && Object.keys(retention).length === 1
      const stay = isOne ? ' stays and the others go' : ' stay and the others go'
      return ['of the snapshots of ', ...whose, ' in ', ...to, ', ', kept, stay]
    }
    case 'prune':
      return ['space that no snapshot needs any more is freed in ', ...to]
    case 'check': {
      const { readPercent, readRotation } = draft.options ?? {}
      const depth =
        readRotation !== undefined
          ? `everything is read back in ${readRotation} runs`
          : readPercent !== undefined
            ? `${readPercent} % of the data is read back`
            : 'the structure, without reading data back'
      return [...to, names.length > 1 ? ' are checked: ' : ' is checked: ', strong(depth)]
    }
  }
}

function whereItRuns(draft: ScheduleDraft, { host, repositories }: Known): Phrase {
  if (draft.kind === 'backup') return []
  const places = repositories.map(repository => ({ repository, on: runsOn(draft.kind, host, repository) }))
  const others = [...new Set(places.flatMap(({ on }) => (on === null || on.id === host.id ? [] : [on.name])))]
  const nobody = places.flatMap(({ repository, on }) => (on === null ? [repository.name] : []))
  return [
    ...(others.length > 0 ? [' It runs on ', ...listOf(others), ', the maintenance host.'] : []),
    ...(nobody.length > 0
      ? [' In ', ...listOf(nobody), ' nothing happens: there is ', strong('no maintenance host'), '.']
      : []),
  ]
}

const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1)

/** The whole schedule as a few sentences. */
export function scheduleInWords(draft: ScheduleDraft, known: Known): Phrase {
  const { manual, jitterSeconds, catchUp, enabled } = draft
  const cron = (draft.cron ?? '').trim()
  const when: Phrase = manual
    ? ['Only when somebody presses ', strong('Run now'), ', ']
    : cron === ''
      ? ['At a time you choose, ']
      : [strong(capital(timetableInWords(cron))), ` (${draft.timeZone}), `]
  const spread =
    manual || jitterSeconds === 0
      ? ''
      : `, started within ${secondsInWords(jitterSeconds)} to spread the load`
  const missed: Phrase = manual
    ? []
    : catchUp === 'once'
      ? [' If the host slept, the newest missed slot is ', strong('caught up once'), '.']
      : [' Slots the host slept through are ', strong('left out'), '.']
  return [
    ...when,
    ...whatItDoes(draft, known),
    `${spread}.`,
    ...whereItRuns(draft, known),
    ...missed,
    ...(enabled ? [] : [' It is ', strong('paused'), ': no slot runs until it is resumed.']),
  ]
}

/** When a schedule comes, for a row: "every day at 02:30". */
export const whenInShort = ({ manual, cron }: Pick<ScheduleDraft, 'manual' | 'cron'>): string =>
  manual ? 'only by Run now' : timetableInWords(cron ?? '')

/** What a schedule does, for a row: "backup, 3 folders". */
export function whatInShort(draft: ScheduleDraft): string {
  switch (draft.kind) {
    case 'backup':
      return `backup, ${countOf(draft.paths?.length ?? 0, 'folder')}`
    case 'forget':
      return `forget, keeps ${retentionInShort(draft.retention ?? {})}`
    case 'prune':
      return 'prune'
    case 'check': {
      const { readPercent, readRotation } = draft.options ?? {}
      if (readRotation !== undefined) return `check, everything in ${readRotation} runs`
      return readPercent === undefined ? 'check' : `check, ${readPercent} % of the data`
    }
  }
}
