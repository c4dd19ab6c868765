// `npm run bench -- [NAME] [--runs N] [--scale F] [--json]`: measures, prints the machine, and one JSON line a figure.
import { parseArgs } from 'node:util'
import { benchAgentBackup } from './agent-backup.ts'
import { type Figure, machine } from './figure.ts'
import { benchIdleMemory } from './idle-memory.ts'

const benches = { 'agent-backup': benchAgentBackup, 'idle-memory': benchIdleMemory } as const
const names = Object.keys(benches) as (keyof typeof benches)[]

const help = `Usage: npm run bench -- [${names.join(' | ')}] [--runs N] [--scale F] [--json]

  --runs N    turns of each side (default 5)
  --scale F   share of the full size, for a quick look (default 1)
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
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return fail((error as Error).message)
  }
}

const { values, positionals } = readFlags()
if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}
const runs = Number(values.runs)
const scale = Number(values.scale)
if (!Number.isInteger(runs) || runs < 1) fail(`--runs is ${values.runs}; a whole number from 1 is accepted.`)
if (!(scale > 0 && scale <= 10)) fail(`--scale is ${values.scale}; a number above 0 up to 10 is accepted.`)
const unknown = positionals.find(name => !Object.hasOwn(benches, name))
if (unknown !== undefined) fail(`There is no benchmark ${unknown}.`)

const figures: Figure[] = []
for (const name of names) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  figures.push(...(await benches[name]({ runs, scale })))
}
process.stderr.write(`${JSON.stringify(machine())}\n`)
if (values.json) for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`)
else console.table(figures)
