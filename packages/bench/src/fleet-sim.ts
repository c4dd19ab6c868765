// `npm run fleet-sim -- --agents N --server URL …`: a fleet of simulated agents against a server, for who sizes one.
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { build, stopWithNpm } from '../../../scripts/processes.ts'
import { machine } from './measure/figure.ts'
import { openGivenGround } from './scenario/given-ground.ts'
import type { Ground } from './scenario/ground.ts'
import { openOwnGround } from './scenario/own-ground.ts'
import { isWell, tellReport } from './scenario/report.ts'
import { runScenario } from './scenario/run-scenario.ts'
import { scenarios, type ScenarioName } from './scenario/scenarios.ts'

const names = Object.keys(scenarios) as ScenarioName[]
const listed = Object.entries(scenarios).map(([name, { about }]) => `  ${name.padEnd(16)} ${about}`)

const help = `Usage: npm run fleet-sim -- --agents N (--server URL (--token T | --admin EMAIL --password-file F) | --own) [options]

Lets N simulated agents do to a server what real ones do: enrol, prove themselves, say hello, send heartbeats, take orders, run
jobs with logs, and report snapshots. They run no restic and touch no storage. Take a server that holds nothing you need:
hosts, repositories and schedules of the fleet stay there, their names begin with fleet-sim.

  --agents N          how many
  --scenario S        what they go through (default steady):
${listed.join('\n')}

  --server URL        a server that runs
  --token T           an enrolment token with uses left, may be repeated; enough for steady, in which they only stay connected
  --admin EMAIL       an admin without a second factor, who makes the tokens, and the repositories and schedules other scenarios need
  --password-file F   a file with the admin's password
  --metrics-token-file F  a file with the RM_METRICS_TOKEN of the server, which then tells its own CPU and memory

  --own               starts the built server with a PostgreSQL of its own instead, and removes both at the end; what it has recorded
                      is then checked against the books of all agents
  --replicas N        so many servers of its own on one database, each connection to one of them (default 1)

  --minutes M         how long the load goes on (default 2): steady, rolling-restart
  --outage S          how many seconds a storm keeps the agents away at least (default 10)
  --lines N           lines of log of a job at most (default 20, of log-flood 2000)
  --one-address       all come from one address; otherwise each has its own where the server is on this Linux machine
  --json              nothing but one line of JSON on standard output, at the end
  --help              this text

Ends with 0 when everybody is connected and nothing is lost, with 1 when not. Ctrl+C ends it in order.
`

class BadInput extends Error {}

function readFlags() {
  const { values } = parseArgs({
    options: {
      agents: { type: 'string' },
      scenario: { type: 'string', default: 'steady' },
      server: { type: 'string' },
      token: { type: 'string', multiple: true, default: [] },
      admin: { type: 'string' },
      'password-file': { type: 'string' },
      'metrics-token-file': { type: 'string' },
      own: { type: 'boolean', default: false },
      replicas: { type: 'string' },
      minutes: { type: 'string', default: '2' },
      outage: { type: 'string', default: '10' },
      lines: { type: 'string' },
      'one-address': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { server, own, token } = values
  const scenario = names.find(name => name === values.scenario)
  if (scenario === undefined)
    throw new BadInput(`There is no scenario ${values.scenario}. There are ${names.join(', ')}.`)
  if (values.agents === undefined) throw new BadInput('How many agents? Add --agents N.')
  if (own === (server !== undefined))
    throw new BadInput('Name the server by --server URL, or let one be started by --own: one of the two.')
  const { admin, 'password-file': passwordFile } = values
  if ((admin === undefined) !== (passwordFile === undefined))
    throw new BadInput('--admin EMAIL and --password-file F go together.')
  const given = token.length > 0 || admin !== undefined
  if (own && given) throw new BadInput('A server of its own needs no token and no admin: leave them out.')
  if (!own && !given)
    throw new BadInput('How do the agents get in? Add --token T, or --admin EMAIL and --password-file F.')
  if (!own && admin === undefined && scenarios[scenario].needsApi)
    throw new BadInput(
      `${scenario} makes repositories, which takes an admin: add --admin EMAIL and --password-file F.`,
    )
  if (!own && values.replicas !== undefined)
    throw new BadInput('--replicas goes with --own: how many servers stand behind a URL is not ours to say.')
  return {
    ...{ scenario, own, tokens: token, server: server === undefined ? undefined : readUrl(server) },
    ...{ admin, passwordFile, metricsTokenFile: values['metrics-token-file'] },
    agents: readNumber('--agents', values.agents, { whole: true, least: 1 }),
    replicas: readNumber('--replicas', values.replicas ?? '1', { whole: true, least: 1 }),
    minutes: readNumber('--minutes', values.minutes, { whole: false, least: 0.05 }),
    outageSeconds: readNumber('--outage', values.outage, { whole: false, least: 0 }),
    lines:
      values.lines === undefined ? undefined : readNumber('--lines', values.lines, { whole: true, least: 0 }),
    ...{ oneAddress: values['one-address'], json: values.json },
  }
}

function readNumber(flag: string, text: string, { whole, least }: { whole: boolean; least: number }) {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && Number.isFinite(value) && (!whole || Number.isInteger(value)))
    return value
  throw new BadInput(`${flag} is ${text}. Accepted: a ${whole ? 'whole ' : ''}number from ${least}.`)
}

function readUrl(text: string): string {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
  throw new BadInput(`--server is ${text}. Accepted: an address such as https://backup.example.org`)
}

type Flags = NonNullable<ReturnType<typeof readFlags>>

async function openGround({ own, replicas, server = '', ...given }: Flags): Promise<Ground> {
  if (own) {
    await build()
    return openOwnGround(replicas)
  }
  const [password, metricsToken] = await Promise.all([read(given.passwordFile), read(given.metricsTokenFile)])
  const admin =
    given.admin === undefined || password === undefined ? undefined : { email: given.admin, password }
  return openGivenGround({ url: server, tokens: given.tokens, admin, metricsToken })
}

/** A secret in a file, not in the list of processes. */
async function read(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new BadInput(`${file} cannot be read: ${error.code}.`)
  })
  return text.trim()
}

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`)

async function main(): Promise<number> {
  const flags = readFlags()
  if (flags === undefined) {
    process.stdout.write(help)
    return 0
  }
  const stopped = new AbortController()
  const stop = () => {
    if (!stopped.signal.aborted) note('stopping')
    stopped.abort(new Error('stopped'))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  stopWithNpm(stop)
  try {
    await using ground = await openGround(flags)
    const report = await runScenario(ground, { ...flags, note, signal: stopped.signal })
    const line = JSON.stringify({ ...report, ok: isWell(report), machine: machine() })
    process.stdout.write(`${flags.json ? line : tellReport(report)}\n`)
    return isWell(report) ? 0 : 1
  } catch (error) {
    if (!stopped.signal.aborted) throw error
    note('Stopped.')
    return 130
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  const isOurs =
    error instanceof BadInput || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
  note(error instanceof Error ? error.message : String(error))
  if (isOurs === true) note('`npm run fleet-sim -- --help` says what there is.')
  process.exitCode = 2
}
// Whatever a run may have left waiting in this process, its end is the end.
process.exit()
