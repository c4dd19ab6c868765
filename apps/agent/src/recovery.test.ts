// Hooks in a whole agent: kept from running by the host's owner, and run at the end although the agent died.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '@restic-manager/testkit/until'
import { afterAll, expect, test } from 'vitest'
import { openDesk, type Desk } from './testing-desk.ts'
import { backupOrder } from './testing-orders.ts'

const folder = mkdtempSync(join(tmpdir(), 'recovery-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function orderWith(hooks: { preHook?: { script: string }; postHook?: { script: string } }) {
  const order = backupOrder()
  return { ...order, spec: { ...order.spec, ...hooks } } as typeof order
}

const said = (desk: Desk, { jobId }: { jobId: string }) =>
  desk.log(jobId).flatMap(entry => ('payload' in entry ? entry.payload : []))

/** A policy file that allows everything. */
function generousPolicy(): string {
  const file = join(folder, 'policy.json')
  writeFileSync(file, '{ "hooks": "inline", "repositories": ["**"] }', { mode: 0o644 })
  return file
}

test('a host whose owner says nothing of hooks turns down a job with hooks, and runs nothing of it', async () => {
  await using desk = await openDesk()
  const mark = join(folder, 'ran')
  const order = orderWith({ preHook: { script: `touch ${mark}` } })
  desk.end.order(order)
  await until(() => desk.told(order.jobId).includes('command.result'))
  expect(desk.end.memory.facts.map(({ message }) => message)).toEqual([
    expect.objectContaining({
      accepted: false,
      reason: 'refused_by_policy',
      error: expect.stringContaining('allows no hooks'),
    }),
  ])
  expect(desk.restic.runs('backup')).toEqual([])
  expect(() => readFileSync(mark)).toThrow('ENOENT')
  expect(desk.end.memory.hellos[0]?.policy).toMatchObject({ hooks: 'off' })
})

test('hooks run around a backup, and what they say stands in its log', async () => {
  await using desk = await openDesk({ policyFile: generousPolicy() })
  const order = orderWith({
    preHook: { script: 'echo freezing' },
    postHook: { script: 'echo "thawing after $RM_STATUS"; exit 1' },
  })
  desk.end.order(order)
  expect(await desk.ending(order.jobId)).toMatchObject({
    status: 'succeeded',
    warnings: [{ code: 'post_hook_failed' }],
  })
  expect(desk.told(order.jobId)).toEqual(['command.result', 'job.started', 'job.finished'])
  await until(() => said(desk, order).some(line => line.includes('thawing')))
  expect(said(desk, order)).toContain('pre-hook: freezing')
  expect(said(desk, order)).toContain('post-hook: thawing after succeeded')
  expect(desk.end.memory.hellos[0]?.policy).toMatchObject({ hooks: 'inline', hookNames: [] })
})

test('what ran before a backup is put right by what runs after it, although the agent died in between', async () => {
  const script = { runs: { backup: { steps: [{ wait: 'go' }, { summary: {} }] } } }
  await using desk = await openDesk({ process: true, script, policyFile: generousPolicy() })
  const file = join(folder, 'state')
  const order = orderWith({
    preHook: { script: `echo frozen > ${file}` },
    postHook: { script: `echo "thawed after $RM_STATUS $RM_REASON" > ${file}; echo thawed` },
  })
  desk.end.order(order)
  await desk.restic.reached('go')
  await until(() => desk.told(order.jobId).includes('job.started'))
  expect(readFileSync(file, 'utf8')).toBe('frozen\n')
  await desk.agent.kill()
  await desk.agent.restart()
  expect(await desk.ending(order.jobId)).toMatchObject({
    status: 'failed',
    reason: 'agent_restarted',
    warnings: [],
  })
  expect(readFileSync(file, 'utf8')).toBe('thawed after failed agent_restarted\n')
  await until(() => said(desk, order).includes('post-hook: thawed'))
})
