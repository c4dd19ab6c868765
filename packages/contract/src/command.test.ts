import { describe, expect, test } from 'vitest'
import { AgentOrder, OrderHeader, RunOrderHeader } from './agent.ts'
import { CommandRun } from './command.ts'
import { newId } from './ids.ts'
import { PROTOCOL, protocolComplaint, protocolWindow } from './protocol.ts'

const run = {
  jobId: newId(),
  kind: 'backup',
  repositoryId: newId(),
  configVersion: 3,
  spec: { paths: ['/home'] },
}

describe('command.run', () => {
  test('ignores a key it does not know, but not inside the spec', () => {
    expect(CommandRun.parse({ ...run, priority: 'high' })).toEqual(run)
    expect(CommandRun.safeParse({ ...run, spec: { paths: ['/home'], shred: true } }).success).toBe(false)
  })

  test('leaves enough to answer with when its kind is from the future', () => {
    const order = { order: 'command.run', ...run, kind: 'teleport', spec: { to: 'mars' } }
    expect(AgentOrder.safeParse(order).success).toBe(false)
    expect(RunOrderHeader.parse(order)).toMatchObject({ jobId: run.jobId, kind: 'teleport' })
    const elevatedAccess = { url: 'moon:base', keys: [1, 2] }
    const lent = { ...order, kind: 'prune', spec: {}, elevatedAccess }
    expect(AgentOrder.safeParse(lent).success).toBe(false)
    expect(RunOrderHeader.parse(lent)).toMatchObject({ jobId: run.jobId, kind: 'prune' })
    expect(OrderHeader.parse({ order: 'coffee.make', sugar: 2 })).toMatchObject({ order: 'coffee.make' })
  })

  test.each([
    ['a relative path', { paths: ['home'] }],
    ['a path that looks like a flag', { paths: ['--password-command=id'] }],
    ['no path at all', { paths: [] }],
    ['a tag with a comma', { paths: ['/home'], tags: ['a,b'] }],
    ['a tag that pretends to be ours', { paths: ['/home'], tags: ['rm-host=1'] }],
    ['a path with a NUL', { paths: ['/home\0'] }],
    ['half a surrogate pair', { paths: ['/home/\ud800'] }],
  ])('is refused with %s', (_, spec) => {
    expect(CommandRun.safeParse({ ...run, spec }).success).toBe(false)
  })
})

test('ids made later sort later, and carry version 7', () => {
  const ids = [1, 2, 1_000, 1_763_900_000_000].map(newId)
  expect(ids.toSorted()).toEqual(ids)
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('an agent outside the protocol window is told both versions and what to upgrade (row 26)', () => {
  const agent = { agentVersion: '0.1.0' }
  expect(protocolComplaint({ ...agent, protocolVersion: PROTOCOL }, '0.2.0')).toBeUndefined()
  expect(protocolComplaint({ ...agent, protocolVersion: protocolWindow.min - 1 }, '0.2.0')).toMatch(
    /0\.1\.0.*0\.2\.0.*Upgrade the agent/,
  )
  expect(protocolComplaint({ ...agent, protocolVersion: protocolWindow.max + 1 }, '0.2.0')).toMatch(
    /0\.1\.0.*0\.2\.0.*Upgrade the server/,
  )
})
