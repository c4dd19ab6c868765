// A repository's own configuration: the cheapest proof that it is there and opens, and the id it keeps for ever.
import { catConfigArgs } from '../restic/args.ts'
import { asObject, asText, parseDocument, type ResticLine } from '../restic/messages.ts'
import { LOCKLESS_GRACE_MS, runCommand, targetOf, type CommandEnd } from './command.ts'
import type { RepositoryContext } from './context.ts'

/** What came of opening a repository: its id, or how the attempt ended. */
export type Opening = { resticId: string } | { end: CommandEnd }

type Listener = { onSpawn?(pid: number): void; onLine?(line: ResticLine): void }

/** Opens the repository with a deadline of its own and without a lock. A new restic alone would try for 15 minutes. */
export async function openRepository(
  context: RepositoryContext,
  listener: Listener = {},
): Promise<Opening & { end: CommandEnd }> {
  const end = await runCommand(context, {
    args: catConfigArgs(targetOf(context)),
    deadlineMs: context.timing.probeDeadline,
    graceMs: LOCKLESS_GRACE_MS,
    document: true,
    ...listener,
  })
  const resticId = end.exit.exitCode === 0 ? idIn(end.exit.document) : ''
  return resticId === '' ? { end } : { resticId, end }
}

/** The id in the repository's configuration. Undefined when it cannot be read now. */
export async function repositoryId(context: RepositoryContext): Promise<string | undefined> {
  const opening = await openRepository(context)
  return 'resticId' in opening ? opening.resticId : undefined
}

function idIn(document: string): string {
  try {
    return asText(asObject(parseDocument(document)).id).slice(0, 64)
  } catch {
    return ''
  }
}
