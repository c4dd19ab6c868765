// Orders, cancels and ends that meet on a real wire, with cuts at moments drawn from a seed.
import { setTimeout as pause } from 'node:timers/promises'
import type { Id } from '@restic-manager/contract/ids'
import { isLongRun } from '@restic-manager/testkit/restic'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { checkInvariants, pathOf } from './invariants.ts'
import { randomOf, seed } from './random-of.ts'
import { openScene } from './scene.ts'

test(`of a cancel and an end that race, one stands, the same on both ends (seed ${seed}) (row 34)`, async () => {
  await using scene = await openScene()
  const { server, agent, restic } = scene
  const random = randomOf(seed)
  const rounds = isLongRun ? 10 : 4
  const seen: Record<string, number> = {}
  for (let round = 0; round < rounds; round += 1) {
    const gate = `round-${round}`
    restic.script({ runs: { backup: { steps: [{ wait: gate }, { summary: {} }] } } })
    const jobId = await scene.run('backup')
    await restic.reached(gate)
    // From a cancel well before the end to one well after it.
    const lead = (random() - 0.5) * 200
    const cancel = async () => {
      await pause(Math.max(0, lead))
      // Refused only where the end was known first.
      await server.api.jobs.cancel.mutate({ jobId }).catch((error: unknown) => {
        expect(String(error)).toContain('already ended')
      })
    }
    const finish = async () => {
      await pause(Math.max(0, -lead))
      restic.open(gate)
    }
    await Promise.all([cancel(), finish()])
    const { status, provisional } = await scene.ending(jobId)
    expect(['succeeded', 'cancelled']).toContain(status)
    expect(provisional).toBe(false)
    seen[status] = (seen[status] ?? 0) + 1
  }
  expect((seen.succeeded ?? 0) + (seen.cancelled ?? 0)).toBe(rounds)
  await checkInvariants(scene)
  const saved = restic.snapshots().length
  expect(saved).toBe(seen.succeeded ?? 0)
  expect(agent.status().jobs).toEqual([])
})

test('a cancel of a job that waits for an absent host is a guess, and the host confirms it without running it (row 34)', async () => {
  await using scene = await openScene()
  const { server, agent, restic } = scene
  await agent.stop()
  await until(scene.isOnline, is(false))
  const jobId = await scene.run('backup')
  await server.api.jobs.cancel.mutate({ jobId })
  expect(await server.api.jobs.get.query({ jobId })).toMatchObject({ status: 'cancelled', provisional: true })
  await agent.restart()
  await until(
    () => server.api.jobs.get.query({ jobId }),
    job => !job.provisional,
  )
  await checkInvariants(scene)
  expect(await scene.statusOf(jobId)).toBe('cancelled')
  expect(restic.runs('backup')).toEqual([])
})

test('an end that was committed and whose answer was lost is told again, and counts once (row 8)', async () => {
  const script = { runs: { backup: { steps: [{ wait: 'end' }, { summary: {} }] } } }
  await using scene = await openScene({ script })
  const { server, agent, restic, link } = scene
  const jobId = await scene.run('backup')
  await restic.reached('end')
  await scene.reaches(jobId, 'running')
  await until(() => agent.facts().every(fact => fact.acked))
  await link.set('dropDown')
  restic.open('end')
  await scene.reaches(jobId, 'succeeded')
  expect(agent.facts().find(fact => fact.name === 'job.finished')).toMatchObject({ acked: false })
  await link.set('pass')
  link.dropAll()
  await checkInvariants(scene)
  expect(await pathOf(server.db, jobId)).toEqual(['queued', 'accepted', 'running', 'succeeded'])
})

test(`of many jobs each runs exactly once, whatever the link does meanwhile (seed ${seed}) (row 35)`, async () => {
  await using scene = await openScene({ agentTiming: { answer: 2_000 } })
  const { restic, link, agent } = scene
  const random = randomOf(seed)
  const jobs = isLongRun ? 30 : 10
  const jobIds: Id[] = []
  for (let n = 0; n < jobs; n += 1) jobIds.push((await scene.run('backup')) as Id)

  const healed = new AbortController()
  const harm = (async () => {
    let cuts = 0
    while (!healed.signal.aborted) {
      await pause(50 + random() * 350)
      // Words of one end are lost for a while, or only what is on its way.
      const way = (['pass', 'dropUp', 'dropDown'] as const)[Math.floor(random() * 3)] ?? 'pass'
      await link.set(way)
      if (way !== 'pass') await pause(random() * 150)
      await link.set('pass')
      link.dropAll()
      cuts += 1
    }
    return cuts
  })()
  await until(() => restic.runs('backup').filter(run => run.exitCode === 0).length >= jobs / 2, undefined, {
    what: 'half of the jobs to have run',
    timeoutMs: 120_000,
    everyMs: 300,
  })
  healed.abort()
  expect(await harm).toBeGreaterThan(2)

  for (const jobId of jobIds) expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  await checkInvariants(scene)
  expect(restic.runs('backup')).toHaveLength(jobs)
  expect(agent.output()).not.toContain('set aside')
})
