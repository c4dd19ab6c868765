// What the command palette offers: things that were found, pages, and what can be done from everywhere.
import type { SearchFound } from '@restic-manager/contract/search'
import type { Recent } from './recent-choices.ts'
import { kindWords, stateWords, statusWords } from './words.ts'

export type ChoiceKind = Recent['kind'] | 'run' | 'action'

/** One line of the list. It leads to `href`, or does `act`. */
export type Choice = {
  key: string
  kind: ChoiceKind
  word: string
  detail?: string | undefined
  /** More words it is found by. */
  also?: string
  href?: string
  act?: () => void
  /** The palette stays until it is done, to say why where it was not. */
  stays?: true
}

/** The groups of the list, in order. */
export const groupWords: Record<'recent' | ChoiceKind, string> = {
  recent: 'Recent',
  host: 'Hosts',
  job: 'Jobs',
  repository: 'Repositories',
  schedule: 'Schedules',
  run: 'Run now',
  page: 'Pages',
  action: 'Actions',
}

/** What is safe to start from a list: nothing that removes, which has its preview on its own page. */
const runnable = new Set<string>(['backup', 'check'])

/** What to look for, and whether it is to be run: "run mailboxes" looks for schedules called mailboxes. */
export function wishOf(text: string): { text: string; toRun: boolean } {
  const named = /^\s*run\s+(\S.*)$/i.exec(text)?.[1]
  return { text: (named ?? text).trim(), toRun: named !== undefined }
}

/** What the server found, each as a line. `run` starts a schedule; undefined: who looks may not. */
export function choicesOf(
  { hosts, jobs, repositories, schedules }: SearchFound,
  run: ((scheduleId: string) => void) | undefined,
  whenOf: (at: Date) => string,
): Choice[] {
  const place = (kind: Recent['kind'], id: string, href: string, word: string, detail: string): Choice => ({
    ...{ key: `${kind}:${id}`, kind, word, detail, href },
  })
  return [
    ...hosts.map(({ id, name, state, tags }) =>
      place('host', id, `/hosts/${id}`, name, [stateWords[state], ...tags.slice(0, 3)].join(' · ')),
    ),
    ...jobs.map(({ id, kind, status, hostName, createdAt }) =>
      place(
        'job',
        id,
        `/jobs/${id}`,
        `${kindWords[kind]} on ${hostName}`,
        `${statusWords[status]} · ${whenOf(createdAt)}`,
      ),
    ),
    ...repositories.map(({ id, name, kind }) => place('repository', id, `/repositories/${id}`, name, kind)),
    ...schedules.map(({ id, name, kind, hostName, enabled }) =>
      place(
        ...(['schedule', id, `/schedules/${id}`, name] as const),
        `${kindWords[kind]} on ${hostName}${enabled ? '' : ' · paused'}`,
      ),
    ),
    ...(run === undefined ? [] : schedules.filter(({ kind }) => runnable.has(kind))).map(
      ({ id, name, hostName }): Choice => ({
        key: `run:${id}`,
        kind: 'run',
        word: `Run ${name}`,
        detail: `now, on ${hostName}`,
        act: () => run?.(id),
        stays: true,
      }),
    ),
  ]
}

/** The lines in which every word of the text is. */
export function choicesWith(text: string, choices: readonly Choice[]): Choice[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return choices.filter(({ word, also = '' }) => {
    const all = `${word} ${also}`.toLowerCase()
    return words.every(each => all.includes(each))
  })
}

/** Lines in groups, in the order of the groups; `recent` for places that were gone to lately. */
export function grouped(recent: readonly Choice[], choices: readonly Choice[]) {
  const groups = Map.groupBy(choices, ({ kind }) => kind)
  const kinds = Object.keys(groupWords).filter(kind => kind !== 'recent') as ChoiceKind[]
  return [
    { group: 'recent' as const, choices: [...recent] },
    ...kinds.map(kind => ({ group: kind, choices: groups.get(kind) ?? [] })),
  ].filter(({ choices }) => choices.length > 0)
}
