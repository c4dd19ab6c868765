// init: makes the repository. One that is there already and opens is as good.
import { initArgs } from '../restic/args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import { exitOf, failedOutcome, failureOf, runCommand, targetOf } from './command.ts'
import { openRepository } from './configuration.ts'
import type { JobContext, Outcome } from './context.ts'
import { rememberGood } from './preflight.ts'

/** Making a repository takes longer than opening one: it derives a key from scratch. */
const DEADLINES = 2

/** Makes the repository and reports its own id. Safe to run twice. */
export async function initialise(context: JobContext): Promise<Outcome> {
  const target = targetOf(context)
  const args = initArgs(target)
  let resticId = ''
  const end = await runCommand(context, {
    args,
    deadlineMs: DEADLINES * context.timing.probeDeadline,
    onSpawn: pid =>
      context.onStart({ command: shownCommand(target, args), resticVersion: context.restic.version, pid }),
    onLine: line => {
      if (line.message?.type === 'initialized') resticId = line.message.id
      context.onLine({ stream: line.stream, payload: line.payload })
    },
  })
  const wasThere = end.exit.exitCode === 1 && failureOf(end).reason === 'already_initialised'
  if (end.exit.exitCode !== 0 && !wasThere) return failedOutcome(context, end)
  if (wasThere || resticId === '') {
    // Only the password decides whether what is there is ours, and old restic does not tell the whole id.
    const opening = await openRepository(context)
    if (!('resticId' in opening)) return failedOutcome(context, opening.end)
    resticId = opening.resticId
  }
  rememberGood(context.repository)
  const warnings = wasThere
    ? [
        {
          code: 'already_initialised',
          message: 'The repository was already there, and the password opens it.',
        },
      ]
    : []
  return { status: 'succeeded', ...(wasThere ? {} : exitOf(end.exit)), resticId, warnings }
}
