// The built server and a bare one side by side, each in a process of its own that can be asked what its heap holds.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { makeOperator, type Api } from '../../../../scripts/operator.ts'
import {
  build,
  makeThrowAway,
  removeThrowAway,
  startServerProgram,
  stopProgram,
} from '../../../../scripts/processes.ts'
import type { BareAnswer, BareOrder } from './bare-server.ts'
import type { ProbeAnswer, ProbeOrder } from './probe.ts'
import { ask, probe, probeFlags } from './probed.ts'

export type Side = { url: string; pid: number; probe(order: ProbeOrder): Promise<ProbeAnswer['probed']> }

export type Stand = AsyncDisposable & {
  ours: Side
  bare: Side & { order(order: BareOrder): Promise<BareAnswer> }
  databasePid: number
  api: Api
  /** Signed in as an operator, for what goes over sockets and plain HTTP. */
  operator: { email: string; password: string }
  /** Enrolment tokens for that many agents, each good for a thousand. */
  tokensFor(agents: number): Promise<string[]>
}

/** Builds what has changed and starts both, ours with its own PostgreSQL and all limits as they are shipped. */
export async function startStand(): Promise<Stand> {
  await build()
  await using undo = new AsyncDisposableStack()
  const folder = await makeThrowAway('rm-wire-')
  undo.defer(() => removeThrowAway(folder))
  const dataDir = path.join(folder, 'server')
  const env = { RM_DATA_DIR: dataDir, DATABASE_URL: undefined, RM_LOG_LEVEL: 'warn', PORT: '0' }
  const server = await startServerProgram({ ...env, NODE_OPTIONS: probeFlags.join(' ') })
  undo.defer(async () => void (await stopProgram(server)))
  const { api, ...operator } = await makeOperator(
    { url: server.url, env },
    { email: 'wire@example.net', name: 'Wire', folder },
  )
  const bare = fork(path.join(import.meta.dirname, 'bare-server.ts'), { execArgv: probeFlags })
  undo.defer(() => void bare.kill('SIGKILL'))
  const [{ port }] = (await once(bare, 'message')) as [{ port: number }]
  const postmaster = await readFile(path.join(dataDir, 'postgres/postmaster.pid'), 'utf8')
  const stack = undo.move()
  return {
    ...{ api, operator },
    ours: { url: server.url, ...sideOf(server.child) },
    bare: {
      ...{ url: `http://127.0.0.1:${port}`, ...sideOf(bare) },
      order: order => ask<BareAnswer>(bare, order),
    },
    databasePid: Number(postmaster.split('\n')[0]),
    async tokensFor(agents) {
      const tokens: string[] = []
      for (let first = 0; first < agents; first += 1_000)
        tokens.push((await api.enrolments.create.mutate({ requestId: newId(), maxUses: 1_000 })).token)
      return tokens
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const sideOf = (child: ChildProcess) => ({
  pid: child.pid ?? 0,
  probe: (order: ProbeOrder) => probe(child, order),
})
