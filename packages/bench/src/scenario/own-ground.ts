// Servers of a run's own: built as they are shipped, on an embedded PostgreSQL with the settings it is shipped with.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { startEmbedded } from '@restic-manager/server/testing'
import { makeOperator } from '../../../../scripts/operator.ts'
import {
  makeThrowAway,
  removeThrowAway,
  startServerProgram,
  stopProgram,
  type RunningServer,
} from '../../../../scripts/processes.ts'
import { watchDatabase } from '../checker/watch.ts'
import { connectToRead } from '../checker/world.ts'
import { cpuSeconds, memoryBytes, peakBytes, treeCpuSeconds } from '../measure/process-cost.ts'
import { probe, probeFlags } from '../wire/probed.ts'
import type { Cost, Ground } from './ground.ts'

/**
 * Starts `replicas` servers on one database and notes every step of every job from then on. Disposing ends all and removes it.
 * `profileDir`: where CPU profiles of what is measured are written; they cost a little themselves.
 */
export async function openOwnGround(replicas: number, profileDir?: string): Promise<Ground> {
  await using undo = new AsyncDisposableStack()
  const folder = await makeThrowAway('rm-fleet-')
  undo.defer(() => removeThrowAway(folder))
  const dataDir = path.join(folder, 'server')
  const database = await startEmbedded({ dataDir, role: 'server' })
  undo.defer(() => database.stop())
  const keyFile = path.join(folder, 'secret.key')
  await writeFile(keyFile, randomBytes(32), { mode: 0o600 })
  const ports = await Promise.all(Array.from({ length: replicas }, freePort))
  const urls = ports.map(port => `http://127.0.0.1:${port}`)
  const env = {
    ...{ DATABASE_URL: database.url, RM_SECRET_KEY_FILE: keyFile, RM_LOG_LEVEL: 'warn', HOST: '127.0.0.1' },
    RM_PUBLIC_URL: urls[0],
    ...(profileDir === undefined ? {} : { NODE_OPTIONS: probeFlags.join(' ') }),
  }
  const envOf = (which: number) => ({
    ...env,
    PORT: String(ports[which]),
    RM_DATA_DIR: path.join(folder, `server-${which + 1}`),
  })
  const running: (RunningServer | undefined)[] = ports.map(() => undefined)
  /** What those that do not run any more have used. */
  let usedBefore = 0
  let isWanted = false
  const ended: string[] = []
  /** The servers of which a profile is taken, each with its number. */
  let profiled: [RunningServer, number][] = []

  async function start() {
    isWanted = true
    await Promise.all(running.map((server, which) => (server === undefined ? startOne(which) : undefined)))
  }

  async function startOne(which: number) {
    const server = await startServerProgram(envOf(which))
    running[which] = server
    void server.exited.then(({ code, signal }) => {
      if (running[which] === server) ended.push(`server ${which + 1} ended: ${signal ?? `exit ${code}`}`)
    })
  }

  /** It is on record before it is gone: afterwards nobody knows what it used. */
  async function end(which: number, how: (server: RunningServer) => Promise<unknown>) {
    const server = running[which]
    if (server === undefined) return
    running[which] = undefined
    usedBefore += used(server)
    await how(server)
  }

  undo.defer(async () => {
    isWanted = false
    await Promise.all(running.map((_, which) => end(which, server => stopProgram(server))))
  })
  await start()
  const sql = connectToRead(database.url)
  await watchDatabase(sql).finally(() => sql.end({ timeout: 5 }))
  const { api, ...admin } = await makeOperator(
    { url: urls[0] ?? '', env: envOf(0) },
    { email: 'fleet@example.net', name: 'Fleet', folder },
  )
  const databasePid = Number.parseInt(
    await readFile(path.join(dataDir, 'postgres/postmaster.pid'), 'utf8'),
    10,
  )
  const all = undo.move()
  return {
    ...{ urls, api, tokens: [], isHere: true },
    own: {
      ...{ count: replicas, databaseUrl: database.url, admin, start },
      async kill() {
        await Promise.all(
          running.map((_, which) =>
            end(which, async server => {
              server.child.kill('SIGKILL')
              await server.exited
            }),
          ),
        )
      },
      async restart(which) {
        await end(which, server => stopProgram(server))
        if (isWanted) await startOne(which)
      },
      ended: () => [...ended],
      async beginProfile() {
        if (profileDir === undefined) return
        await mkdir(profileDir, { recursive: true })
        profiled = running.flatMap((server, at) => (server === undefined ? [] : [[server, at + 1]]))
        await Promise.all(profiled.map(([{ child }]) => probe(child, { probe: 'profile' })))
      },
      async writeProfile(name) {
        // Who was restarted meanwhile has taken its profile along.
        const still = profiled.filter(([server, number]) => running[number - 1] === server)
        profiled = []
        await Promise.all(
          still.map(([{ child }, number]) => {
            const file = path.join(profileDir ?? '', `${name.replaceAll(' ', '-')}-${number}.cpuprofile`)
            return probe(child, { probe: 'writeProfile', file })
          }),
        )
      },
    },
    async cost(): Promise<Cost | undefined> {
      if (process.platform !== 'linux') return undefined
      const pids = running.flatMap(server => server?.child.pid ?? [])
      return {
        serverCpuSeconds: pids.reduce((total, pid) => total + cpuSeconds(pid), usedBefore),
        databaseCpuSeconds: treeCpuSeconds(databasePid),
        residentBytes: pids.reduce((total, pid) => total + memoryBytes(pid).resident, 0),
        peakBytes: pids.reduce((total, pid) => total + peakBytes(pid), 0),
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

const used = ({ child }: RunningServer) =>
  process.platform === 'linux' && child.exitCode === null && child.signalCode === null
    ? cpuSeconds(child.pid ?? 0)
    : 0

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
