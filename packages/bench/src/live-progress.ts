// How far the numbers on the page lie behind restic's own: from the line it prints to the message in the page's socket.
import { spawn } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { newId } from '@restic-manager/contract/ids'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { signedIn } from '@restic-manager/testkit/signed-in'
import { runToEnd } from '../../../scripts/operator.ts'
import { type Figure, median, rounded } from './measure/figure.ts'
import { startFleet } from './measure/product.ts'
import { openRawOperator } from './wire/raw-operator.ts'

const fullLines = 30
const goalMs = 250

/**
 * A program that says a line each second, with the time it says it in place of its bytes, and is an obedient fake restic for the rest. The
 * built agent and server carry it to `jobs.follow`, which the page of a job listens to. The limit reads the program's own pipe.
 */
export async function benchLiveProgress({ runs, scale }: { runs: number; scale: number }): Promise<Figure[]> {
  await using fleet = await startFleet()
  const lines = Math.max(5, Math.round(fullLines * scale))
  const fake = fakeRestic(path.join(fleet.folder, 'fake'), { runs: { backup: { steps: [{ summary: {} }] } } })
  const restic = tickingRestic(fleet.folder, fake.path, lines)
  const url = path.join(fleet.folder, 'repository')
  const place = { name: 'ticks', url, hostIds: [fleet.hostId] }
  const { repositoryId } = await fleet.api.repositories.create.mutate({ requestId: newId(), ...place })
  await fleet.restartAgent({ RM_RESTIC: restic })
  const { cookie } = await signedIn(fleet.url, fleet.operator)()

  const late = { ours: [] as number[], limit: [] as number[] }
  for (let turn = 0; turn < runs; turn += 1) {
    const seen = new Map<number, number>()
    await using operator = await openRawOperator(fleet.url, cookie)
    let followed: string | undefined
    await runToEnd(
      fleet.api,
      { hostId: fleet.hostId, repositoryId, kind: 'backup', spec: { paths: ['/etc/hostname'] } },
      ({ id }) => {
        if (followed !== undefined) return
        followed = id
        operator.subscribe('jobs.follow', { jobId: id }, value => {
          const saidAt = (value as { progress: { bytesDone: number } | null }).progress?.bytesDone ?? 0
          if (saidAt > 0 && !seen.has(saidAt)) seen.set(saidAt, Date.now() - saidAt)
        })
      },
    )
    late.ours.push(...seen.values())
    late.limit.push(...(await readItself(restic, url)))
    process.stderr.write(`turn ${turn + 1}: ${seen.size} of ${lines} lines were seen\n`)
  }
  const worst = (values: number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? NaN
  const [ours, limit] = [worst(late.ours), worst(late.limit)]
  const share = late.ours.length / (runs * lines)
  return [
    {
      ...{
        name: 'live-progress, p99',
        unit: 'ms behind the line',
        ours: rounded(ours),
        limit: rounded(limit),
      },
      ...{ ratio: rounded(ours / limit), goal: goalMs, ok: ours <= goalMs && share > 0.9 },
    },
    {
      ...{ name: 'live-progress, p50', unit: 'ms behind the line', ours: rounded(median(late.ours)) },
      ...{ limit: rounded(median(late.limit)), ratio: rounded(median(late.ours) / median(late.limit)) },
      ...{ goal: goalMs, ok: median(late.ours) <= goalMs },
    },
  ]
}

/** Behaves as the fake, and before a backup ends it says so many lines of its progress, each at its second. */
function tickingRestic(folder: string, fake: string, lines: number): string {
  const script = path.join(folder, 'ticking.cjs')
  writeFileSync(
    script,
    `const { spawnSync } = require('node:child_process')
const argv = process.argv.slice(2)
const goOn = () => { process.exitCode = spawnSync(${JSON.stringify(fake)}, argv, { stdio: 'inherit' }).status ?? 1 }
let said = 0
const say = () => {
  if (said === ${lines}) { clearInterval(ticking); return goOn() }
  said += 1
  const status = { message_type: 'status', percent_done: said / ${lines + 1}, total_files: 9, files_done: 3, total_bytes: 9e15, bytes_done: Date.now() }
  process.stdout.write(JSON.stringify(status) + '\\n')
}
const ticking = argv.includes('backup') ? setInterval(say, 1000) : undefined
if (ticking === undefined) goOn()
`,
  )
  const program = path.join(folder, 'restic')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`)
  chmodSync(program, 0o755)
  return program
}

async function readItself(restic: string, repository: string): Promise<number[]> {
  const child = spawn(restic, ['-r', repository, 'backup', '--json', '/etc/hostname'], {
    ...{ env: { RESTIC_PASSWORD: 'bench' }, stdio: ['ignore', 'pipe', 'ignore'] },
  })
  const late: number[] = []
  for await (const line of createInterface(child.stdout)) {
    const message = JSON.parse(line) as { message_type: string; bytes_done?: number }
    if (message.message_type === 'status' && message.bytes_done !== undefined)
      late.push(Date.now() - message.bytes_done)
  }
  return late
}
