// `npm start`: the server on its own database, the page, and an agent for this machine, until Ctrl-C.
import path from 'node:path'
import { parseArgs, styleText } from 'node:util'
import {
  build,
  enrolAgent,
  root,
  startAgentProgram,
  startServerProgram,
  stopProgram,
  stopWithNpm,
  type Environment,
  type Program,
} from './processes.ts'

const help = `Usage: npm start [-- --no-agent]

Starts the server, its database, the page and an agent for this machine. Ctrl-C stops all of it.

  --no-agent   start only the server
  --help       this text

It prints warnings and errors; RM_LOG_LEVEL=info says everything. The server's environment variables (PORT, HOST, DATABASE_URL, RM_DATA_DIR, …) are listed by
  node apps/server/src/main.ts --help
`

const bold = (text: string) => styleText('bold', text)
const say = (line = '') => process.stdout.write(`${line}\n`)

function readFlags() {
  try {
    return parseArgs({ options: { 'no-agent': { type: 'boolean' }, help: { type: 'boolean' } } }).values
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`)
    process.exit(2)
  }
}

/** Keeps one agent running: an agent that ends by itself is started again, later each time. */
function keepAgent(stateDir: string, env: Environment) {
  let stopping = false
  let program: Program | undefined
  let wake = () => {}
  const loop = (async () => {
    let waitMs = 1_000
    while (!stopping) {
      program = await startAgentProgram('agent', stateDir, { env })
      const { code, signal } = await program.exited
      if (stopping) return
      say(
        `The agent ended (${signal ?? `exit ${code}`}). Starting it again in ${Math.round(waitMs / 1_000)} s.`,
      )
      await new Promise<void>(resolve => {
        wake = resolve
        setTimeout(resolve, waitMs).unref()
      })
      waitMs = Math.min(waitMs * 2, 60_000)
    }
  })()
  return async () => {
    stopping = true
    wake()
    if (program) await stopProgram(program)
    await loop
  }
}

async function main() {
  const flags = readFlags()
  if (flags.help) return void say(help)

  say('Building what has changed …')
  await build()

  const dataDir = path.resolve(root, process.env['RM_DATA_DIR'] ?? '.data')
  const RM_LOG_LEVEL = process.env['RM_LOG_LEVEL'] ?? 'warn'
  const env: Environment = { RM_DATA_DIR: dataDir, RM_LOG_LEVEL }
  say('Starting the server …')
  const server = await startServerProgram(env)

  const stops: (() => Promise<unknown>)[] = [() => stopProgram(server)]
  let stopping = false
  const stop = async (code: number) => {
    if (stopping) return
    stopping = true
    say('\nStopping: agent first, then the server and its database …')
    for (const step of stops.toReversed()) await step()
    say('Stopped.')
    process.exit(code)
  }
  process.on('SIGINT', () => void stop(0))
  process.on('SIGTERM', () => void stop(0))
  process.on('SIGHUP', () => void stop(0))
  stopWithNpm(() => void stop(0))
  void server.exited.then(({ code, signal }) => {
    if (stopping) return
    say(`The server ended unexpectedly (${signal ?? `exit ${code}`}).`)
    void stop(1)
  })

  if (!flags['no-agent']) {
    const stateDir = path.join(dataDir, 'agent')
    await enrolAgent({ url: server.url, env }, stateDir)
    stops.push(keepAgent(stateDir, { RM_LOG_LEVEL }))
  }

  say()
  if (server.setupLink === undefined) say(`  Dashboard    ${bold(server.url)}`)
  else say(`  Set up here  ${bold(server.setupLink)}`)
  if (!flags['no-agent']) say('  Agent        this machine is enrolled and connected')
  say(`  Data         ${dataDir}`)
  say('  Ctrl-C stops everything; the next start finds it again.')
  say()
}

await main().catch(error => {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
})
