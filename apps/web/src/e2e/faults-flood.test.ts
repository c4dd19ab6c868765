// A restic that says more than anybody can keep: nobody slows it, nobody drowns, and the log says what is missing.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkInvariants } from './invariants.ts'
import { openScene } from './scene.ts'

const MB = 1_000_000

/** The most memory a process ever held, in bytes. */
function peakOf(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

test.runIf(process.platform === 'linux')(
  '100 MB of lines at full speed and one line as long as them neither fail the job nor fill a memory, and head, gap and tail of the log are there',
  async () => {
    // 100 MB in lines of 200 bytes, as fast as they are read.
    const flood = { lines: 500_000, text: 'x'.repeat(192) }
    const steps = [
      { print: 'the very first line' },
      { flood },
      { longLine: { bytes: 100 * MB } },
      { print: 'the very last line' },
      { wait: 'said' },
      { summary: {} },
    ]
    await using scene = await openScene({ script: { runs: { backup: [{ steps: [] }, { steps }] } } })
    const { server, agent, restic } = scene
    // The first job warms both processes up.
    await scene.ending(await scene.run('backup'))
    const before = { server: peakOf(server.pid()), agent: peakOf(agent.pid()) }

    const jobId = await scene.run('backup')
    await restic.reached('said')
    restic.open('said')
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
    await checkInvariants(scene)
    expect(peakOf(server.pid()) - before.server).toBeLessThan(150 * MB)
    expect(peakOf(agent.pid()) - before.agent).toBeLessThan(150 * MB)

    const { lastLogSeq } = await server.api.jobs.get.query({ jobId })
    expect(lastLogSeq).toBeGreaterThan(flood.lines)
    const head = await server.api.jobs.log.query({ jobId, limit: 10 })
    expect(head.entries[0]).toMatchObject({ seq: 0, payload: 'the very first line' })
    const tail = await server.api.jobs.log.query({ jobId, fromSeq: (lastLogSeq ?? 0) - 2, limit: 10 })
    expect(tail.entries.at(-2)).toMatchObject({ payload: 'the very last line' })
    const [long] = tail.entries
    expect(long && 'payload' in long && long.payload.length).toBeLessThanOrEqual(16 * 1024)
    const gaps = await gapsOf(scene, jobId)
    expect(gaps).toBeGreaterThan(0)
  },
)

/** How many lines of a job's log were dropped, by its gaps. */
async function gapsOf({ server }: Awaited<ReturnType<typeof openScene>>, jobId: string): Promise<number> {
  let dropped = 0
  for (let fromSeq = 0; ;) {
    const page = await server.api.jobs.log.query({ jobId, fromSeq, limit: 5_000 })
    for (const entry of page.entries) if ('gap' in entry) dropped += entry.gap.count
    if (page.atEnd) return dropped
    fromSeq = page.nextSeq
  }
}
