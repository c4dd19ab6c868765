// Runs before the project's npm scripts, on any Node from 18 on: what is missing gets installed, else nothing happens.
// `--restic=need` fails without a restic, `--restic=want` only says so, without the option restic does not matter.
// Everything it says goes to stderr: the script that follows owns stdout.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDependencies } from './install.mjs'
import { withLock } from './project-lock.mjs'
import { findRestic, installHint } from './restic.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const note = sentence => void process.stderr.write(`${sentence}\n`)

async function bootstrap() {
  const onWait = holder =>
    note(`Another set-up of this checkout is running (process ${holder}); waiting for it ...`)
  await withLock(join(root, '.tools', 'bootstrap.lock'), () => installDependencies(root, note), onWait)

  const restic = process.argv.find(argument => argument.startsWith('--restic='))?.slice('--restic='.length)
  if (!restic) return
  const found = await findRestic({ onNote: note })
  if (!found) {
    note(installHint)
    if (restic === 'need') process.exitCode = 1
  } else if (found.quality === 'degraded') {
    note(
      `Using restic ${found.version} from ${found.path}: it works, but 0.17 or newer tells errors apart better.`,
    )
  }
}

try {
  await bootstrap()
} catch (error) {
  note(error.message)
  process.exitCode = 1
}
