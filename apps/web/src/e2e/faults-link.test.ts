// Links that break in the middle of a backup: cut, swallowed, lost one way. restic does not notice.
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { checkInvariants, pathOf } from './invariants.ts'
import { openScene } from './scene.ts'

const talk = (lines: number) => ({ flood: { lines, text: 'a line restic says while nobody listens' } })

/** Short enough for a test, long enough for a busy machine. */
const watchful = { ping: 500, pong: 1_500, answer: 2_000, handshake: 1_000 }

test('a backup survives a cut link: its host is shown offline, and all it said is there when the link is back (row 1)', async () => {
  await using scene = await openScene({
    serverTiming: watchful,
    agentTiming: watchful,
    script: {
      runs: { backup: { steps: [talk(50), { wait: 'cut' }, talk(50), { wait: 'end' }, { summary: {} }] } },
    },
  })
  const { server, agent, restic, link } = scene
  const jobId = await scene.run('backup')
  await restic.reached('cut')
  await scene.reaches(jobId, 'running')

  await link.set('refuse')
  link.dropAll()
  await until(scene.isOnline, is(false))
  const seen = await server.api.jobs.get.query({ jobId })
  expect(seen).toMatchObject({ status: 'running', hostOnline: false, hostLastSeenAt: expect.any(Date) })
  restic.open('cut')
  await restic.reached('end')
  restic.open('end')
  await until(() => agent.facts().some(fact => fact.name === 'job.finished' && !fact.acked))
  expect(await scene.statusOf(jobId)).toBe('running')

  await link.set('pass')
  expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded', hostOnline: true })
  expect(restic.runs('backup')).toMatchObject([{ signals: [], exitCode: 0 }])
  await checkInvariants(scene)
  expect(await pathOf(server.db, jobId)).toEqual(['queued', 'accepted', 'running', 'succeeded'])
})

test('both ends notice by themselves that a link swallows everything, or one way, and restic goes on (row 2)', async () => {
  const gates = ['blackhole', 'dropUp', 'dropDown'] as const
  await using scene = await openScene({
    serverTiming: watchful,
    agentTiming: watchful,
    script: {
      runs: { backup: { steps: [...gates.flatMap(wait => [{ wait }, talk(20)]), { summary: {} }] } },
    },
  })
  const { agent, restic, link } = scene
  const jobId = await scene.run('backup')
  for (const mode of gates) {
    await restic.reached(mode)
    await until(scene.isOnline)
    await link.set(mode)
    await until(scene.isOnline, is(false))
    await until(() => agent.status().link?.state, is('connecting'))
    restic.open(mode)
    await link.set('pass')
  }
  expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  expect(restic.runs('backup')).toMatchObject([{ signals: [], exitCode: 0 }])
  await checkInvariants(scene)
})

test('a link that flaps is dialled once for each time it was lost, and nothing runs twice (row 4)', async () => {
  const flaps = 5
  await using scene = await openScene({
    serverTiming: watchful,
    agentTiming: { ...watchful, backoffCap: 50 },
    script: { runs: { backup: { steps: [talk(20), { wait: 'flaps' }, talk(20), { summary: {} }] } } },
  })
  const { server, hostId, restic, link } = scene
  const one = async (query: string) => Object.values((await server.db.execute(query))[0] ?? {})[0]
  const connectedAt = () => one(`select connected_at::text from hosts where id = '${hostId}'`)
  const sessions = async () =>
    Number(await one(`select count(*) from agent_sessions where host_id = '${hostId}'`))
  const first = await scene.run('backup')
  await restic.reached('flaps')
  const [before, dialled] = [await sessions(), await connectedAt()]
  let last = dialled
  for (let count = 0; count < flaps; count += 1) {
    link.dropAll()
    last = await until(connectedAt, at => at !== last)
  }
  restic.open('flaps')
  expect(await scene.ending(first)).toMatchObject({ status: 'succeeded' })
  const next = await scene.run('backup')
  expect(await scene.ending(next)).toMatchObject({ status: 'succeeded' })
  expect(await sessions()).toBeLessThanOrEqual(before + flaps)
  expect(restic.runs('backup')).toMatchObject([{ signals: [] }, { signals: [] }])
  await checkInvariants(scene)
})

test('on a very slow link a cancel and how it went overtake what waits of the log (row 5)', async () => {
  const steps = [{ flood: { lines: 12_000, text: 'y'.repeat(100) } }, { wait: 'cancel' }]
  await using scene = await openScene({ script: { runs: { backup: { steps } } } })
  const { server, restic, link } = scene
  const viewOf = (jobId: string) => server.api.jobs.get.query({ jobId })
  await link.set({ bytesPerSecond: 40_000 })
  const jobId = await scene.run('backup')
  await restic.reached('cancel')
  await until(async () => (await viewOf(jobId)).receivedLogSeq >= 0)
  await server.api.jobs.cancel.mutate({ jobId })
  expect(await scene.ending(jobId)).toMatchObject({ status: 'cancelled' })
  expect(restic.runs('backup')).toMatchObject([{ signals: ['SIGINT'] }])
  const { lastLogSeq, receivedLogSeq } = await viewOf(jobId)
  expect(lastLogSeq).toBeGreaterThanOrEqual(12_000)
  expect(receivedLogSeq).toBeLessThan(lastLogSeq ?? 0)
  await link.set('pass')
  await checkInvariants(scene)
})
