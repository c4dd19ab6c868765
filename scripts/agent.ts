// `npm run agent -- …`: the agent from this checkout's sources, on the restic that the set-up found.
import { stopWithNpm } from './processes.ts'
import { findRestic } from './restic.mjs'

if (process.argv[2] === 'run') {
  stopWithNpm(() => process.kill(process.pid, 'SIGTERM'))
  if (!process.env['RM_RESTIC']) {
    const found = await findRestic({ onNote: sentence => void process.stderr.write(`${sentence}\n`) })
    if (found) process.env['RM_RESTIC'] = found.path
  }
}
await import('../apps/agent/src/main.ts')
