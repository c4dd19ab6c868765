// `npm run chaos -- --seed N --minutes M [--json]`: faults and load drawn from a seed, and a machine that checks what is left.
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { inspect, parseArgs } from 'node:util'
import { build, stopWithNpm } from '../../../scripts/processes.ts'
import { runChaos, type ChaosResult } from './run-chaos.ts'

const help = `Usage: npm run chaos -- [--seed N] [--minutes M] [--json] [--keep]

Starts PostgreSQL, two servers, real agents with a fake restic and simulated agents, each behind a link of its own.
Draws load and faults from the seed, heals everything, waits for quiet and checks I1 to I10 of docs/faults.md.

  --seed N       which story (default: any; it is printed)
  --minutes M    how long load and faults go on (default 1)
  --real N       real agents (default 3)
  --simulated N  simulated agents (default 20)
  --checkout F   run the programs that were built in this checkout (default: build and run this one)
  --json         nothing but one line of JSON on standard output, at the end
  --keep         leave the folder with everything in it, also when all was well
  --help         this text

Ends with 0 when every promise was kept, with 1 when one was broken; what broke it is shown.
`

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string', default: '1' },
        real: { type: 'string', default: '3' },
        simulated: { type: 'string', default: '20' },
        checkout: { type: 'string' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(help)
      process.exit(0)
    }
    return {
      seed: readNumber('--seed', values.seed ?? String(randomInt(1_000_000)), { whole: true, least: 0 }),
      minutes: readNumber('--minutes', values.minutes, { whole: false, least: 0.1 }),
      real: readNumber('--real', values.real, { whole: true, least: 1 }),
      simulated: readNumber('--simulated', values.simulated, { whole: true, least: 0 }),
      ...(values.checkout === undefined ? {} : { checkout: path.resolve(values.checkout) }),
      json: values.json,
      keep: values.keep ? ('always' as const) : ('broken' as const),
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`)
    process.exit(2)
  }
}

function readNumber(flag: string, text: string, { whole, least }: { whole: boolean; least: number }) {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && Number.isFinite(value) && (!whole || Number.isInteger(value)))
    return value
  throw new Error(`${flag} is ${text}. Accepted: a ${whole ? 'whole ' : ''}number from ${least}.`)
}

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`)

/** The one line for machines. */
function summaryOf({ violations, counts, folder, ...result }: ChaosResult) {
  return {
    ...result,
    violations: violations.reduce((sum, { rows }) => sum + Math.max(1, rows.length), 0),
    broken: violations.map(({ invariant, sentence, rows }) => ({ invariant, sentence, rows: rows.length })),
    ...counts,
    ...(folder === undefined ? {} : { folder }),
  }
}

const mostRows = 5

function tell({ seed, violations, folder }: ChaosResult) {
  for (const { invariant, sentence, rows } of violations) {
    note(`\n${invariant} ${sentence} ${rows.length} rows:`)
    for (const row of rows.slice(0, mostRows)) note(inspect(row, { depth: 6, breakLength: 140 }))
  }
  note(violations.length === 0 ? `\nseed ${seed}: every promise was kept` : `\nseed ${seed}: broken promises`)
  if (folder !== undefined) note(`everything lies in ${folder}`)
}

const { json, ...options } = readFlags()
const stopped = new AbortController()
const stop = () => stopped.abort(new Error('stopped'))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
stopWithNpm(stop)

try {
  if (options.checkout === undefined) await build()
  note(`seed ${options.seed}`)
  const result = await runChaos({ ...options, note, signal: stopped.signal })
  tell(result)
  const summary = summaryOf(result)
  process.stdout.write(`${json ? JSON.stringify(summary) : inspect(summary, { depth: 4 })}\n`)
  process.exitCode = result.violations.length > 0 ? 1 : 0
} catch (error) {
  note(stopped.signal.aborted ? 'Stopped.' : String(error instanceof Error ? error.stack : error))
  process.exitCode = stopped.signal.aborted ? 130 : 2
}
// Whatever a run may have left waiting in this process, its end is the end.
process.exit()
