// How much slower a backup is through the agent than with bare restic: the same files, fresh repositories, in turns.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { makeFiles } from '@restic-manager/testkit/files'
import { runToEnd } from '../../../scripts/operator.ts'
import { ensureRestic } from '../../../scripts/restic.mjs'
import { startFleet } from './measure/product.ts'
import { type Figure, median, rounded } from './measure/figure.ts'
import { cpuSeconds } from './measure/process-cost.ts'

/** 2 GB in 50,000 files, `runs` turns of each. Wall: from the order to the recorded end. CPU: the agent's own against restic's. */
export async function benchAgentBackup({ runs, scale }: { runs: number; scale: number }): Promise<Figure[]> {
  await using fleet = await startFleet()
  const restic = await ensureRestic()
  const files = path.join(fleet.folder, 'files')
  makeFiles(files, { files: Math.round(50_000 * scale), bytes: Math.round(2e9 * scale) })
  const password = 'bench'

  /** Runs bare restic and gives its seconds of wall time and of CPU. */
  const runRestic = async (repository: string, cache: string, ...argv: string[]) => {
    const began = performance.now()
    const child = spawn(restic.path, argv, {
      env: {
        PATH: process.env['PATH'],
        RESTIC_REPOSITORY: repository,
        RESTIC_PASSWORD: password,
        RESTIC_CACHE_DIR: cache,
        RESTIC_PROGRESS_FPS: '1',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`restic ${argv[0]} ended with ${code}`)
    return (performance.now() - began) / 1_000
  }

  const bare: number[] = []
  const ours: number[] = []
  const agentCpu: number[] = []
  for (let turn = 0; turn < runs; turn += 1) {
    const bareRepository = path.join(fleet.folder, `bare-${turn}`)
    const bareCache = path.join(fleet.folder, `bare-cache-${turn}`)
    await runRestic(bareRepository, bareCache, 'init')
    bare.push(await runRestic(bareRepository, bareCache, 'backup', '--json', files))

    const url = path.join(fleet.folder, `ours-${turn}`)
    await runRestic(url, path.join(fleet.folder, `init-cache-${turn}`), 'init')
    const { repositoryId } = await fleet.api.repositories.create.mutate({
      requestId: newId(),
      name: `ours-${turn}`,
      url,
      password,
      hostIds: [fleet.hostId],
    })
    const cpuBefore = cpuSeconds(fleet.agentPid())
    const began = performance.now()
    const job = await runToEnd(fleet.api, {
      hostId: fleet.hostId,
      repositoryId,
      kind: 'backup',
      spec: { paths: [files] },
    })
    ours.push((performance.now() - began) / 1_000)
    agentCpu.push(cpuSeconds(fleet.agentPid()) - cpuBefore)
    if (job.status !== 'succeeded') throw new Error(`The backup ended ${job.status}: ${job.error}`)
    process.stderr.write(
      `turn ${turn + 1}: bare ${bare.at(-1)?.toFixed(1)} s, through the agent ${ours.at(-1)?.toFixed(1)} s\n`,
    )
  }
  const wall = rounded(median(ours) / median(bare))
  const cpu = rounded(median(agentCpu) / median(bare))
  return [
    {
      name: 'agent-backup-wall',
      unit: 'seconds',
      ours: rounded(median(ours)),
      limit: rounded(median(bare)),
      ratio: wall,
      goal: 1.03,
      ok: wall <= 1.03,
    },
    {
      name: 'agent-backup-cpu',
      unit: 'seconds of agent CPU against seconds of restic',
      ours: rounded(median(agentCpu)),
      limit: rounded(median(bare)),
      ratio: cpu,
      goal: 0.01,
      ok: cpu <= 0.01,
    },
  ]
}
