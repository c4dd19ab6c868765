// `npm run bench -- [NAME] [--json]`: measures, prints the machine, and one JSON line a figure.
import { parseArgs } from 'node:util'
import { benchAgentBackup } from './agent-backup.ts'
import { benchAgentIdle } from './agent-idle.ts'
import { benchAgentSoak } from './agent-soak.ts'
import { benchAgentStream } from './agent-stream.ts'
import { benchAgentMutation } from './agent-mutation.ts'
import { benchAuditList } from './audit-list.ts'
import { benchEmbeddedDatabase } from './embedded-database.ts'
import { type Figure, machine } from './measure/figure.ts'
import { benchLists, benchOverview } from './fleet-reads.ts'
import { benchGrowth } from './growth.ts'
import { benchIdleFleet } from './idle-fleet.ts'
import { benchIdleMemory } from './idle-memory.ts'
import { benchLiveProgress } from './live-progress.ts'
import { benchLogDropDay } from './log-drop-day.ts'
import { benchLogDisk, benchLogIngest } from './log-ingest.ts'
import { benchLogLine } from './log-line.ts'
import { benchMidnight } from './midnight.ts'
import { benchOrderFanout } from './order-fanout.ts'
import { benchPage, pageParts, type PagePart } from './page.ts'
import { benchSnapshotReport } from './snapshot-report.ts'
import { benchReconnectStorm, type FleetFigure } from './reconnect-storm.ts'
import { benchReplicaLag } from './replica-lag.ts'
import { benchStalledReader } from './stalled-reader.ts'

const benches = {
  'agent-backup': benchAgentBackup,
  'agent-idle': benchAgentIdle,
  'agent-soak': benchAgentSoak,
  'agent-stream': benchAgentStream,
  'agent-mutation': benchAgentMutation,
  'audit-list': benchAuditList,
  'embedded-database': benchEmbeddedDatabase,
  growth: benchGrowth,
  'idle-fleet': benchIdleFleet,
  'idle-memory': benchIdleMemory,
  lists: benchLists,
  'live-progress': benchLiveProgress,
  'log-disk': benchLogDisk,
  'log-drop-day': benchLogDropDay,
  'log-ingest': benchLogIngest,
  'log-line': benchLogLine,
  midnight: benchMidnight,
  'order-fanout': benchOrderFanout,
  overview: benchOverview,
  page: benchPage,
  'reconnect-storm': benchReconnectStorm,
  'snapshot-report': benchSnapshotReport,
  'replica-lag': benchReplicaLag,
  'stalled-reader': benchStalledReader,
} as const
const names = Object.keys(benches) as (keyof typeof benches)[]

const help = `Usage: npm run bench -- [${names.join(' | ')}] [options]

  --runs N    turns of each side (default 5)
  --scale F   share of the full size, for a quick look (default 1)
  --agents N  agents of the storm and of midnight (default 5000)
  --replicas N  servers on one database, each connection to one of them (default 1)
  --outage S  how many seconds they are without a server, at least (default 10)
  --one-address  all of them come from one address; otherwise each has its own, for which it takes Linux
  --hosts N, --jobs N  the fleet the page is looked at with (default 5000 and 1000000); lists also with a tenth of the jobs
  --snapshots N, --log-lines N  what growth adds to that fleet (default 2000000 and 50000000)
  --database-dir D  keeps the fleets of the lists and the Overview, and takes those that are there
  --data DIR  a data directory for that fleet, kept: it is seeded once and used again
  --profile DIR  writes CPU profiles of the server there, of the wire, the storm and midnight; they cost a little themselves
  --part P    only this part of the page, may be repeated: ${pageParts.join(', ')}
  --json      one line of JSON a figure, and nothing else on standard output
`

function fail(sentence: string): never {
  process.stderr.write(`${sentence}\n\n${help}`)
  process.exit(2)
}

function readFlags() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: 'string', default: '5' },
        scale: { type: 'string', default: '1' },
        agents: { type: 'string', default: '5000' },
        replicas: { type: 'string', default: '1' },
        outage: { type: 'string', default: '10' },
        hosts: { type: 'string', default: '5000' },
        jobs: { type: 'string', default: '1000000' },
        snapshots: { type: 'string', default: '2000000' },
        'log-lines': { type: 'string', default: '50000000' },
        data: { type: 'string' },
        profile: { type: 'string' },
        'database-dir': { type: 'string' },
        part: { type: 'string', multiple: true, default: [] },
        'one-address': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return fail((error as Error).message)
  }
}

/** What happened to a fleet is more than fits into a table. */
const inTable = (figure: Figure | FleetFigure) =>
  'report' in figure ? { ...figure, report: undefined, machine: undefined } : figure

const { values, positionals } = readFlags()
if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}
const wholeFrom = (
  least: number,
  flag: 'runs' | 'agents' | 'replicas' | 'outage' | 'hosts' | 'jobs' | 'snapshots' | 'log-lines',
) => {
  const value = Number(values[flag])
  if (Number.isInteger(value) && value >= least) return value
  return fail(`--${flag} is ${values[flag]}; a whole number from ${least} is accepted.`)
}
const partOf = (part: string): PagePart =>
  pageParts.find(each => each === part) ?? fail(`There is no part ${part} of the page.`)
const scale = Number(values.scale)
if (!(scale > 0 && scale <= 10)) fail(`--scale is ${values.scale}; a number above 0 up to 10 is accepted.`)
const options = {
  runs: wholeFrom(1, 'runs'),
  scale,
  agents: wholeFrom(1, 'agents'),
  replicas: wholeFrom(1, 'replicas'),
  outageSeconds: wholeFrom(0, 'outage'),
  oneAddress: values['one-address'],
  hosts: wholeFrom(1, 'hosts'),
  jobs: wholeFrom(0, 'jobs'),
  snapshots: wholeFrom(0, 'snapshots'),
  logLines: wholeFrom(0, 'log-lines'),
  dataDir: values.data,
  profileDir: values.profile,
  databaseDir: values['database-dir'],
  only: values.part.map(partOf),
}
const unknown = positionals.find(name => !Object.hasOwn(benches, name))
if (unknown !== undefined) fail(`There is no benchmark ${unknown}.`)

const figures: (Figure | FleetFigure)[] = []
for (const name of names) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  figures.push(...(await benches[name](options)))
}
process.stderr.write(`${JSON.stringify(machine())}\n`)
if (values.json) for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`)
else console.table(figures.map(inTable))
