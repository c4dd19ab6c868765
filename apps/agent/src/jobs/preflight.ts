// Asks whether a repository answers before a backup begins, so that a dead one fails in seconds and says why.
import { createHash } from 'node:crypto'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { catConfigArgs } from '../restic/args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import type { ResticLine } from '../restic/messages.ts'
import { failedOutcome, targetOf } from './command.ts'
import { openRepository } from './configuration.ts'
import type { JobContext, Outcome } from './context.ts'
import { steady } from '../timers.ts'

/** When each repository last proved good, with the access it was proved with. The agent's memory, not its state. */
const proved = new Map<string, { access: string; at: number }>()

/** A job with this repository has just succeeded. */
export function rememberGood(repository: RepositoryAccess): void {
  proved.set(repository.repositoryId, { access: fingerprint(repository), at: steady() })
}

/** A job with this repository has just failed: the next one asks again. */
export function forgetGood(repository: RepositoryAccess): void {
  proved.delete(repository.repositoryId)
}

/** Undefined when the repository answers, or did so lately; else how the job ends. Costs half a second of CPU. */
export async function checkRepository(context: JobContext): Promise<Outcome | undefined> {
  const { repository, timing } = context
  const last = proved.get(repository.repositoryId)
  if (last?.access === fingerprint(repository) && steady() - last.at < timing.repositoryTrust)
    return undefined
  const lines: ResticLine[] = []
  let pid = 0
  const opening = await openRepository(context, {
    onSpawn: spawned => {
      pid = spawned
    },
    onLine: line => {
      if (lines.length < 100) lines.push(line)
    },
  })
  if ('resticId' in opening) {
    rememberGood(repository)
    return undefined
  }
  // This was the only restic of the job, so its command and its words are the job's.
  const target = targetOf(context)
  if (pid !== 0)
    context.onStart({
      command: shownCommand(target, catConfigArgs(target)),
      resticVersion: context.restic.version,
      pid,
    })
  for (const { stream, payload } of lines) context.onLine({ stream, payload })
  return failedOutcome(context, opening.end)
}

/** Access that was lent must not stay behind in memory when its job is over. */
function fingerprint({ url, username, credential, password, environment }: RepositoryAccess): string {
  const access = JSON.stringify([url, username, credential, password, environment])
  return createHash('sha256').update(access).digest('base64')
}
