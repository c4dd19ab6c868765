// `npm run build`: the server, the agent and the page, as far as their sources have changed.
import { build } from './processes.ts'
import { takeNoArguments } from './no-arguments.ts'

takeNoArguments(
  'npm run build',
  'Builds the server, the agent and the page, as far as their sources have changed.',
)

await build().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
