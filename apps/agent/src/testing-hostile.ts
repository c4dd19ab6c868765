// For tests only: a host whose owner has said what may be done, and orders that ask for something else.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentOrder } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import type { JobKind } from '@restic-manager/contract/job'
import type { LedgerRun } from '@restic-manager/testkit/fake-restic-ledger'
import { until } from '@restic-manager/testkit/until'
import { expect } from 'vitest'
import { openDesk, type Desk } from './testing-desk.ts'
import { backupOrder, configOrder, repositoryId } from './testing-orders.ts'

export type Run = AgentOrder & { order: 'command.run' }
export type Loose = Record<string, unknown>

/** The folders of an owner: programs that may be hooks, others beside them, and links that lead away. */
export function ownersFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'rm-hostile-'))
  const [hooks, allowed] = [join(folder, 'hooks'), join(folder, 'allowed')]
  /** What a hook or a smuggled program would leave. */
  const mark = join(folder, 'somebody-was-here')
  for (const each of [hooks, allowed, join(folder, 'outside')]) mkdirSync(each)
  symlinkSync(join(folder, 'outside'), join(allowed, 'way-out'))
  const addProgram = (path: string, text: string, mode = 0o755) => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`)
    chmodSync(path, mode)
  }
  addProgram(join(hooks, 'dump'), 'echo dumped')
  addProgram(join(hooks, 'open-to-all'), `touch ${mark}`, 0o777)
  addProgram(join(folder, 'beside'), `touch ${mark}`)
  symlinkSync(join(folder, 'beside'), join(hooks, 'leads-out'))
  execFileSync('mkfifo', [join(folder, 'fifo')])
  symlinkSync('/dev/zero', join(folder, 'endless'))
  return {
    ...{ folder, hooks, allowed, mark },
    writePolicy(name: string, policy: unknown): string {
      const file = join(folder, `${name}.json`)
      writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy))
      chmodSync(file, 0o644)
      return file
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Orders with access to `url` lent for them alone, which no configuration announced. Their password tells their runs from those of others. */
export function lender(url: string, specs: Record<JobKind, Loose>) {
  return (access: Loose, kind: JobKind = 'probe', spec: Loose = specs[kind]): Run => {
    const order = backupOrder()
    const elevatedAccess = { url, password: order.jobId, ...access }
    return { ...order, kind, spec, elevatedAccess } as unknown as Run
  }
}

/** An agent with that policy and a fake restic. `url`: the repository of its configurations. */
export function hostileEnd({
  policyFile,
  url,
  mark,
  name,
}: {
  policyFile: string
  url: string
  mark: string
  name?: string | undefined
}) {
  let desk: Desk
  let version = 1
  const runsOf = ({ jobId }: Run) => desk.restic.runs().filter(({ env }) => env['RESTIC_PASSWORD'] === jobId)
  return {
    desk: () => desk,
    async open() {
      desk = await openDesk(name === undefined ? { policyFile } : { policyFile, name })
      await until(() => desk.end.memory.acks.length > 0)
    },
    close: () => desk[Symbol.asyncDispose](),
    /** Gives the host a configuration of one repository, and says its version. */
    configure(access: Loose, change: Loose = {}): number {
      version += 1
      const repository = { repositoryId, url, password: 'a password of tests', mayDelete: true }
      const repositories = [{ ...repository, ...access }]
      desk.end.order({ ...configOrder(), version, repositories, ...change } as unknown as AgentOrder)
      return version
    },
    /** The answer to an order that is turned down. Nothing ran for it. */
    async refused(order: Run): Promise<{ reason: string; error: string }> {
      desk.end.order(order)
      const { message } = await until(
        () =>
          desk.end.memory.facts.find(
            fact => fact.name === 'command.result' && fact.message.jobId === order.jobId,
          ),
        undefined,
        { everyMs: 2 },
      )
      const { accepted, reason, error } = message as unknown as Loose
      expect({ accepted, ran: runsOf(order).length, mark: existsSync(mark) }).toEqual({
        ...{ accepted: false, ran: 0, mark: false },
      })
      return { reason: String(reason), error: String(error) }
    },
    /** The runs of restic for a job that is allowed. */
    async ran(order: Run): Promise<LedgerRun[]> {
      desk.end.order(order)
      const { status, error } = await desk.ending(order.jobId)
      expect({ status, error }).toMatchObject({ status: 'succeeded' })
      return runsOf(order)
    },
  }
}

/** Where `lent` orders of a job of each kind find nothing to complain about. */
export const plainSpecs = (): Record<JobKind, Loose> => ({
  ...{ init: {}, probe: {}, prune: {}, check: {}, unlock: {}, backup: { paths: ['/etc/hostname'] } },
  forget: { retention: { last: 1 }, dryRun: false, targets: [{ hostId: newId(), scheduleId: newId() }] },
})
