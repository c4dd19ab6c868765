// The most memory an agent takes while restic talks without end, against a bare Node that reads the same lines and forgets them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { fakeRestic, type FakeRestic } from '@restic-manager/testkit/fake-restic'
import { runToEnd } from '../../../scripts/operator.ts'
import { type Figure, median, rounded } from './measure/figure.ts'
import { startFleet } from './measure/product.ts'
import { cpuSeconds, peakBytes } from './measure/process-cost.ts'

const lineCount = 300_000
const MB = 1e6
/** As restic names a file with `-v`, 120 characters with the number before it. */
const text =
  ' new      /srv/projects/2026/some-customer/pictures/originals/a-name-of-usual-length.jpeg, saved in 0.004s'
const reader = `const child = require('node:child_process').spawn(process.argv[1], ['-r', process.argv[2], 'backup', '--json', '/etc/hostname'], { env: { RESTIC_PASSWORD: 'bench' }, stdio: ['ignore', 'pipe', 'inherit'] })
let lines = 0, rest = ''
child.stdout.setEncoding('utf8').on('data', piece => { const all = (rest + piece).split('\\n'); rest = all.pop(); lines += all.length })
child.on('close', () => process.send(lines)); process.on('message', () => process.exit())`

/** `runs` fresh agents, each with one backup of 300,000 lines as fast as they are taken, in turn with bare Node. */
export async function benchAgentStream({ runs, scale }: { runs: number; scale: number }): Promise<Figure[]> {
  await using fleet = await startFleet()
  const flood = { lines: Math.round(lineCount * scale), text }
  const steps = [{ flood }, { summary: {} }]
  const url = path.join(fleet.folder, 'repository')
  const restic = fakeRestic(path.join(fleet.folder, 'fake'), { runs: { backup: { steps } } })
  const { repositoryId } = await fleet.api.repositories.create.mutate({
    requestId: newId(),
    name: 'stream',
    url,
    hostIds: [fleet.hostId],
  })
  const ours: number[] = []
  const bare: number[] = []
  for (let turn = 0; turn < runs; turn += 1) {
    await fleet.restartAgent({ RM_RESTIC: restic.path })
    const cpuBefore = cpuSeconds(fleet.agentPid())
    const job = await runToEnd(fleet.api, {
      ...{ hostId: fleet.hostId, repositoryId, kind: 'backup' },
      spec: { paths: ['/etc/hostname'] },
    })
    if (job.status !== 'succeeded') throw new Error(`The backup ended ${job.status}: ${job.error}`)
    ours.push(peakBytes(fleet.agentPid()) / MB)
    bare.push((await peakOfReader(restic, url, flood.lines)) / MB)
    const cpu = (cpuSeconds(fleet.agentPid()) - cpuBefore).toFixed(1)
    process.stderr.write(
      `turn ${turn + 1}: ${ours.at(-1)?.toFixed(1)} MB and ${cpu} s of CPU; bare Node ${bare.at(-1)?.toFixed(1)} MB\n`,
    )
  }
  const peak = median(ours)
  return [
    {
      name: 'agent-stream',
      unit: 'MB resident at most',
      ours: rounded(peak),
      limit: rounded(median(bare)),
      ratio: rounded(peak / median(bare)),
      goal: 90,
      ok: peak <= 90,
    },
  ]
}

async function peakOfReader(
  { path: program }: FakeRestic,
  repository: string,
  least: number,
): Promise<number> {
  const node = spawn(process.execPath, ['-e', reader, program, repository], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [lines] = await once(node, 'message')
  if (lines < least) throw new Error(`Bare Node read ${lines} lines of ${least}.`)
  const peak = peakBytes(node.pid ?? 0)
  node.kill()
  await once(node, 'exit')
  return peak
}
