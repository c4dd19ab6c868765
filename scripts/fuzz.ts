// `npm run fuzz -- --cases 100000 --seed N [--json]`: hostile inputs at every procedure, on a real database.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runFuzz } from '../apps/server/src/testing-fuzz.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed ?? randomInt(1_000_000))
const cases = Number(values.cases)
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(cases) || cases < 1) {
  process.stderr.write('Usage: npm run fuzz -- [--cases N] [--seed N] [--only agent.] [--json]\n')
  process.exit(2)
}
const startedAt = performance.now()
let saidAt = startedAt
const { faults, answers, ...result } = await runFuzz({
  ...{ seed, cases },
  ...(values.only === undefined ? {} : { only: values.only }),
  onBatch(done) {
    if (values.json || performance.now() - saidAt < 10_000) return
    saidAt = performance.now()
    process.stdout.write(`${done} of ${cases} cases\n`)
  },
})
for (const fault of faults) process.stderr.write(`${fault}\n\n`)
if (!values.json) console.table(answers)
const seconds = Math.round((performance.now() - startedAt) / 1_000)
const rssMb = Math.round(process.memoryUsage.rss() / 1e6)
process.stdout.write(`${JSON.stringify({ ...result, seconds, rssMb })}\n`)
process.exit(result.internal + result.hung + result.changed > 0 ? 1 : 0)
