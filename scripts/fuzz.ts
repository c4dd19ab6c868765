// `npm run fuzz -- --cases 100000 --seed N [--json]`: hostile inputs at every procedure, on a real database.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runFuzz } from '../apps/server/src/testing-fuzz.ts'

const usage = 'Usage: npm run fuzz -- [--cases N] [--seed N] [--only agent.] [--json] [--help]'

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        cases: { type: 'string', default: '10000' },
        seed: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const { json, only, help, ...given } = values
    if (help) {
      process.stdout.write(`${usage}\n`)
      process.exit(0)
    }
    return {
      ...{ json, only, cases: readWhole('--cases', given.cases, 1) },
      seed: readWhole('--seed', given.seed ?? String(randomInt(1_000_000)), 0),
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`)
    process.exit(2)
  }
}

function readWhole(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`${flag} is ${text}. Accepted: a whole number from ${least}.`)
}

const { seed, cases, json, only } = readFlags()
const startedAt = performance.now()
let saidAt = startedAt
const { faults, answers, ...result } = await runFuzz({
  ...{ seed, cases },
  ...(only === undefined ? {} : { only }),
  onBatch(done) {
    if (json || performance.now() - saidAt < 10_000) return
    saidAt = performance.now()
    process.stdout.write(`${done} of ${cases} cases\n`)
  },
})
for (const fault of faults) process.stderr.write(`${fault}\n\n`)
if (!json) console.table(answers)
const seconds = Math.round((performance.now() - startedAt) / 1_000)
const rssMb = Math.round(process.memoryUsage.rss() / 1e6)
process.stdout.write(`${JSON.stringify({ ...result, seconds, rssMb })}\n`)
process.exit(result.internal + result.hung + result.changed > 0 ? 1 : 0)
