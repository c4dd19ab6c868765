// `npm run chaos:mutations`: breaks one guard of the product at a time, in a copy, and shows that the runner notices each.
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeThrowAway, stopWithNpm } from '../../../scripts/processes.ts'
import { breakCopy, buildCopy, copyCheckout } from './copy-checkout.ts'
import { mutations, type Mutation } from './mutations.ts'
import { runChaos } from './run-chaos.ts'

const help = `Usage: npm run chaos:mutations -- [--guard WORDS] [--first N] [--seeds N] [--minutes M]

Copies the sources, breaks one guard, builds, and runs the chaos runner on it with one seed after another until it says
that a promise was broken. Ends with 0 when every broken guard was noticed.

  --guard WORDS  only this one: ${mutations.map(({ guard }) => guard).join(', ')}
  --first N      the first seed (default 1)
  --seeds N      how many seeds are tried for each (default 10)
  --minutes M    how long each runs (default 1)
`

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`)
const stopped = new AbortController()
const stop = () => stopped.abort(new Error('stopped'))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
stopWithNpm(stop)

function readFlags() {
  const { values } = parseArgs({
    options: {
      guard: { type: 'string' },
      first: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '10' },
      minutes: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    process.exit(0)
  }
  const [first, seeds, minutes] = [values.first, values.seeds, values.minutes].map(Number) as [
    number,
    number,
    number,
  ]
  const wanted = mutations.filter(({ guard }) => values.guard === undefined || guard === values.guard)
  if (wanted.length === 0) throw new Error(`There is no guard ${values.guard}.`)
  if (!(Number.isInteger(first) && Number.isInteger(seeds) && seeds > 0 && minutes > 0))
    throw new Error('--first and --seeds are whole numbers, --minutes is a number above 0.')
  return { wanted, first, seeds, minutes }
}

type Verdict = { guard: string; caught: string; seed: number | '-'; seen: string }

async function tryMutation(
  { guard, promise, replacements }: Mutation,
  { first, seeds, minutes }: { first: number; seeds: number; minutes: number },
): Promise<Verdict> {
  note(`\n${guard}: broken is that ${promise}`)
  const folder = await makeThrowAway('rm-mutation-')
  const checkout = path.join(folder, 'checkout')
  try {
    await copyCheckout(checkout)
    await breakCopy(checkout, replacements)
    await buildCopy(checkout)
    for (let seed = first; seed < first + seeds; seed += 1) {
      const { violations } = await runChaos({
        ...{ seed, minutes, checkout, real: 3, simulated: 20, keep: 'never' },
        ...{ note: () => {}, signal: stopped.signal },
      })
      note(
        `seed ${seed}: ${violations.length === 0 ? 'nothing' : violations.map(v => v.invariant).join(' ')}`,
      )
      const [first] = violations
      if (first !== undefined) {
        const caught = [...new Set(violations.map(({ invariant }) => invariant))].join(' ')
        return { guard, caught, seed, seen: first.sentence }
      }
    }
    return { guard, caught: 'no', seed: '-', seen: '' }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

try {
  const { wanted, ...tries } = readFlags()
  const verdicts: Verdict[] = []
  for (const mutation of wanted) verdicts.push(await tryMutation(mutation, tries))
  const rows = verdicts.map(({ guard, caught, seed, seen }) => `| ${guard} | ${caught} | ${seed} | ${seen} |`)
  process.stdout.write(
    `| guard broken | caught by | seed | in words |\n|---|---|---|---|\n${rows.join('\n')}\n`,
  )
  process.exitCode = verdicts.every(({ caught }) => caught !== 'no') ? 0 : 1
} catch (error) {
  note(
    stopped.signal.aborted
      ? 'Stopped.'
      : `${error instanceof Error ? error.message : String(error)}\n\n${help}`,
  )
  process.exitCode = stopped.signal.aborted ? 130 : 2
}
// Whatever a run may have left waiting in this process, its end is the end.
process.exit()
