// What a socket goes on to tell although its session is over: all of it false, none of it to be believed.
import { newId } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Disk } from './disk.ts'
import { Refused, type SimulatedLink } from './link.ts'
import { between, type Life } from './life.ts'

type Lie = { call: string; payload: object }

/** Numbers far beyond what the lanes have reached: believed, they would hide true facts. */
const FAR = 100_000
/** A server that was paused answers when it wakes. */
const PATIENCE_MS = 15_000

/** Tells a few lies on a link whose session has been replaced, notes which the server took, and ends the link. */
export async function lie(life: Life, link: SimulatedLink): Promise<void> {
  const { seen } = life.disk
  const lies = drawLies(life.disk)
  const first = between(life.random, 0, lies.length - 1)
  const told = [...lies.slice(first), ...lies.slice(0, first)].slice(0, 3)
  await Promise.allSettled(
    told.map(async ({ call, payload }) => {
      seen.oldSession.told += 1
      try {
        const answer = await link.call(call, payload, { parse: value => value }, PATIENCE_MS)
        seen.oldSessionTaken.push({ call, answer, at: Date.now() })
      } catch (error) {
        if (error instanceof Refused) seen.oldSession.refused += 1
      }
    }),
  )
  link.cut()
}

function drawLies(disk: Disk): Lie[] {
  const at = toInstant(Date.now())
  const running = [...disk.open].map(id => disk.jobs.get(id)).findLast(job => job?.state === 'running')
  const [repositoryId = newId()] = disk.config.mayDelete.keys()
  const header = running?.header ?? { jobId: newId(), kind: 'backup', repositoryId }
  const fact = (lane: 'first' | 'rest') => ({ lane, seq: disk.lastSeq[lane] + FAR, occurredAt: at })
  const end = { status: 'failed', reason: 'killed', finishedAt: at, warnings: [], lastLogSeq: -1 }
  const nextSeq = disk.logs.get(header.jobId)?.nextSeq ?? 0
  const block = `0\to\ta line of another life\n`
  return [
    { call: 'job.finished', payload: { ...header, ...fact('rest'), ...end } },
    {
      call: 'log.stream',
      payload: { jobId: header.jobId, firstSeq: nextSeq, count: 1, startedAt: at, block },
    },
    {
      call: 'command.result',
      payload: { ...header, ...fact('first'), accepted: false, reason: 'unsupported' },
    },
    { call: 'schedule.ack', payload: { version: 0, appliedAt: at } },
    { call: 'config.ack', payload: { version: 0, appliedAt: at } },
  ]
}
