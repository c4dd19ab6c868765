// What happened to a host, from its alerts and from the acts on record, newest first.
import type { AlertView } from '@restic-manager/contract/alerts'
import type { AuditEventView } from '@restic-manager/contract/audit'
import { alertKinds } from '@restic-manager/contract/alert-kinds'
import { actWord } from './act-words.ts'

/** `tone`: how loud it was; what people did and what ended is quiet. */
export type HostEvent = {
  id: string
  at: Date
  tone: 'bad' | 'warn' | 'idle'
  word: string
  sentence: string
  jobId: string | undefined
}

const tones = { red: 'bad', amber: 'warn' } as const

/** An alert is one event when it begins, and another when it is cleared. */
export function eventsOfAlert(alert: AlertView): HostEvent[] {
  const { id, severity, kind, sentence, since, clearedAt } = alert
  const jobId = alert.jobId ?? undefined
  const { word } = alertKinds[kind]
  return [
    { id, at: since, tone: tones[severity], word, sentence, jobId },
    ...(clearedAt === null
      ? []
      : [
          {
            ...{ id: `${id} cleared`, at: clearedAt, tone: 'idle' as const, word: 'Cleared' },
            ...{ sentence: `${word}: ${sentence}`, jobId: undefined },
          },
        ]),
  ]
}

const eventOfAct = ({ id, at, actorName, action, targetKind, targetName }: AuditEventView): HostEvent => ({
  ...{ id, at, tone: 'idle', word: actWord(action), jobId: undefined },
  sentence: `by ${actorName}${targetKind === null || targetKind === 'host' ? '' : `: ${targetKind} ${targetName ?? ''}`}`,
})

/** The newest of both. Lists that are cut tell nothing of before their end, so neither do the rows. */
export function hostEvents(
  alerts: readonly AlertView[],
  acts: readonly AuditEventView[],
  most: number,
): HostEvent[] {
  return [...alerts.flatMap(eventsOfAlert), ...acts.map(eventOfAct)]
    .toSorted((a, b) => b.at.getTime() - a.at.getTime())
    .slice(0, most)
}
