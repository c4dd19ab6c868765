// A restic that says more than anybody can keep: nobody slows it, nobody drowns, and the log says what is missing.
import { readFileSync } from 'node:fs'
import { isLongRun } from '@restic-manager/testkit/restic'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { checkInvariants } from './invariants.ts'
import { openScene } from './scene.ts'

const MB = 1_000_000

/** The most memory a process ever held, in bytes. */
function peakOf(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

/** Twenty times what is kept of a log; a gigabyte in the long run. */
const floodBytes = isLongRun ? 1_000 * MB : 20 * MB
const longLineBytes = isLongRun ? 100 * MB : 20 * MB

test.runIf(process.platform === 'linux')(
  `${floodBytes / MB} MB of lines at full speed and one line of ${longLineBytes / MB} MB neither fail the job nor fill a memory, and head, gap and tail of the log are there (row 37)`,
  async () => {
    // Lines of 200 bytes, as fast as they are read.
    const flood = { lines: floodBytes / 200, text: 'x'.repeat(192) }
    const steps = [
      { print: 'the very first line' },
      { flood },
      { longLine: { bytes: longLineBytes } },
      { print: 'the very last line' },
      { wait: 'said' },
      { summary: {} },
    ]
    await using scene = await openScene({
      serverProcess: true,
      script: { runs: { backup: [{ steps: [] }, { steps }] } },
    })
    const { server, agent, restic } = scene
    // The first job warms both processes up.
    await scene.ending(await scene.run('backup'))
    const before = { server: peakOf(server.pid()), agent: peakOf(agent.pid()) }

    const jobId = await scene.run('backup')
    await until(() => restic.reached('said'), undefined, { timeoutMs: 300_000 })
    restic.open('said')
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
    // What was kept of a long flood goes at the pace the server has set.
    await until(
      () => server.api.jobs.get.query({ jobId }),
      ({ receivedLogSeq, lastLogSeq }) => receivedLogSeq === lastLogSeq,
      { timeoutMs: 300_000, everyMs: 250 },
    )
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
  600_000,
)

test('on a link of 16 kB a second a cancel and the end of its job overtake the log that waits, and the host stays online (row 5)', async () => {
  // Three minutes of that link, and none of it can be pressed together.
  const flood = { lines: 15_000, text: 'y'.repeat(192) }
  await using scene = await openScene({
    script: { runs: { backup: { steps: [{ flood }, { wait: 'talked' }, { summary: {} }] } } },
  })
  const { server, agent, link, restic } = scene
  await link.set({ bytesPerSecond: 16_000 })
  const jobId = await scene.run('backup')
  await restic.reached('talked')
  await until(
    async () => (await server.api.jobs.get.query({ jobId })).receivedLogSeq,
    seq => seq > 0,
  )
  expect(agent.status().spool?.logBytes).toBeGreaterThan(MB)
  await server.api.jobs.cancel.mutate({ jobId })
  const ended = await scene.ending(jobId)
  expect(ended).toMatchObject({ status: 'cancelled', hostOnline: true })
  expect(ended.receivedLogSeq).toBeLessThan(ended.lastLogSeq ?? 0)

  await link.set('pass')
  await checkInvariants(scene)
  const { receivedLogSeq, lastLogSeq } = await server.api.jobs.get.query({ jobId })
  expect(receivedLogSeq).toBe(lastLogSeq)
})

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
