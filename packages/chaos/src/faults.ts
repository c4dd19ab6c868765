// How each fault is done to the world, and how it is healed again.
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ProxyMode, TcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import postgres from 'postgres'
import { chanceOf, type Chance } from './chance.ts'
import type { Program } from './program.ts'
import { chosen, type Fault, type FaultKind } from './story.ts'
import type { ChaosWorld } from './world.ts'

const run = promisify(execFile)

/** A fault that was done: on what, and how it ends. Nothing else is done to the same thing before that. */
export type Harm = { heal(): Promise<void> }

/** Things that are being harmed now. */
export type Busy = Set<object>

/** Does a fault. Undefined: there was nothing left to do it to. */
export async function inflict(world: ChaosWorld, fault: Fault, busy: Busy): Promise<Harm | undefined> {
  const chance = chanceOf(Math.floor(fault.more * 2 ** 32))
  return inflictors[fault.kind]({ world, fault, busy, chance })
}

type Scene = { world: ChaosWorld; fault: Fault; busy: Busy; chance: Chance }
type Inflictor = (scene: Scene) => Promise<Harm | undefined>

const inflictors: Record<FaultKind, Inflictor> = {
  'link-cut': scene => onLinks(scene, async links => links.forEach(link => link.dropAll())),
  'link-blackhole': scene => withMode(scene, 'blackhole'),
  'link-drop-up': scene => withMode(scene, 'dropUp'),
  'link-drop-down': scene => withMode(scene, 'dropDown'),
  'link-half-close': scene => withMode(scene, 'halfClose'),
  'link-refuse': scene => withMode(scene, 'refuse'),
  'link-delay': scene => withMode(scene, { delayMs: scene.chance.between(50, 1_500) }),
  'link-throttle': scene => withMode(scene, { bytesPerSecond: scene.chance.between(2_000, 40_000) }),
  'link-flap': scene =>
    onLinks(scene, async links => {
      const flapping = repeatedly(100, 500, scene.chance, async () => links.forEach(link => link.dropAll()))
      return flapping.end
    }),
  'server-kill': scene => onProgram(scene, scene.world.servers, program => program.kill()),
  'server-roll': scene => onProgram(scene, scene.world.servers, program => program.stop(40_000)),
  'server-pause': scene => frozen(scene, scene.world.servers),
  'host-kill': scene => onProgram(scene, programsOf(scene), program => program.kill()),
  'host-restart': scene => onProgram(scene, programsOf(scene), program => program.stop()),
  'host-pause': scene => frozen(scene, programsOf(scene)),
  'database-restart': scene => onDatabase(scene, ({ stop }) => stop()),
  'database-kill': scene => onDatabase(scene, ({ kill }) => kill()),
  async 'database-freeze'({ world: { postgres }, busy }) {
    const free = take(busy, postgres)
    if (free === undefined) return undefined
    await postgres.freeze()
    return { heal: () => postgres.thaw().finally(free) }
  },
  async 'database-backends'({ world, chance }) {
    const killing = repeatedly(100, 600, chance, () =>
      askDatabase(
        world,
        sql => sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name like 'restic-manager%' and random() < 0.3`,
      ),
    )
    return { heal: killing.end }
  },
  async 'database-listeners'({ world }) {
    await askDatabase(
      world,
      sql => sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name like 'restic-manager%' and query ilike 'listen%'`,
    )
    return { heal: async () => {} }
  },
  async 'restic-kill'({ world, fault }) {
    for (const host of inOrder(world.hosts, fault.pick)) {
      const working = host.restic.runs().filter(({ endedAt }) => endedAt === undefined)
      for (const { pid } of working.toReversed())
        if ((await isRunOf(pid, host.resticFolder)) && killed(pid)) return { heal: async () => {} }
    }
    return undefined
  },
  async 'sim-crash'({ world, fault }) {
    const agent = chosen(world.simulated, fault.pick)?.agent
    agent?.crash()
    return agent && { heal: async () => {} }
  },
  async 'sim-cut'({ world, fault, busy }) {
    const agent = chosen(world.simulated, fault.pick)?.agent
    const free = agent && take(busy, agent)
    if (agent === undefined || free === undefined) return undefined
    agent.cutOff()
    return {
      async heal() {
        agent.reconnect()
        free()
      },
    }
  },
}

/** Kills a process. False: it has just ended by itself. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

const programsOf = ({ world }: Scene) => world.hosts.map(({ program }) => program)

/** Marks something as being harmed, and answers how it is let go. Undefined: it is already. */
function take(busy: Busy, thing: object): (() => void) | undefined {
  if (busy.has(thing)) return undefined
  busy.add(thing)
  return () => void busy.delete(thing)
}

/** All of a row, beginning with the chosen one. */
function inOrder<T>(row: readonly T[], pick: number): T[] {
  const first = Math.floor(pick * row.length)
  return [...row.slice(first), ...row.slice(0, first)]
}

/** On one link, on a few, now and then on all of them. */
async function onLinks(
  { world, fault, busy, chance }: Scene,
  harm: (links: TcpProxy[]) => Promise<void | (() => Promise<void>)>,
): Promise<Harm | undefined> {
  const all = [...world.hosts, ...world.simulated].map(({ link }) => link)
  const many = chance.weighted({ 1: 6, 3: 3, [all.length]: 1 })
  const taken = inOrder(all, fault.pick).flatMap(link => {
    const free = busy.has(link) ? undefined : take(busy, link)
    return free === undefined ? [] : { link, free }
  })
  for (const { free } of taken.splice(Number(many))) free()
  if (taken.length === 0) return undefined
  const heal = await harm(taken.map(({ link }) => link))
  return {
    async heal() {
      await heal?.()
      for (const { free } of taken) free()
    },
  }
}

/** What is lost on an open link stays lost: both ends have to notice. */
function withMode(scene: Scene, mode: ProxyMode) {
  return onLinks(scene, async links => {
    await Promise.all(links.map(link => link.set(mode)))
    return async () => void (await Promise.all(links.map(link => link.set('pass'))))
  })
}

async function onProgram(
  { fault, busy }: Scene,
  programs: readonly Program[],
  end: (program: Program) => Promise<void>,
): Promise<Harm | undefined> {
  for (const program of inOrder(programs, fault.pick)) {
    const free = take(busy, program)
    if (free === undefined) continue
    const ended = end(program)
    return {
      async heal() {
        await ended
        // A server does not start while its database is away.
        await until(() => program.start().then(() => true), undefined, {
          ...{ what: `${program.name} to start again`, timeoutMs: 120_000, everyMs: 300 },
        })
        free()
      },
    }
  }
  return undefined
}

async function frozen({ fault, busy }: Scene, programs: readonly Program[]): Promise<Harm | undefined> {
  const program = inOrder(programs, fault.pick).find(each => !busy.has(each))
  const free = program && take(busy, program)
  if (program === undefined || free === undefined) return undefined
  program.freeze()
  return {
    async heal() {
      program.thaw()
      free()
    },
  }
}

async function onDatabase(
  { world: { postgres }, busy }: Scene,
  end: (database: ChaosWorld['postgres']) => Promise<void>,
): Promise<Harm | undefined> {
  const free = take(busy, postgres)
  if (free === undefined) return undefined
  const ended = end(postgres)
  return {
    async heal() {
      await ended
      await postgres.start()
      free()
    },
  }
}

/** Again and again, at gaps that are drawn, until it is ended. */
function repeatedly(leastMs: number, mostMs: number, chance: Chance, act: () => Promise<void>) {
  const ended = new AbortController()
  const going = (async () => {
    while (!ended.signal.aborted) {
      await act()
      await sleep(chance.between(leastMs, mostMs), undefined, { signal: ended.signal }).catch(() => {})
    }
  })()
  return {
    async end() {
      ended.abort()
      await going
    },
  }
}

/** A statement for a database that may be away or frozen: then nothing comes of it. */
async function askDatabase({ postgres: { url } }: ChaosWorld, ask: (sql: postgres.Sql) => Promise<unknown>) {
  const sql = postgres(url, {
    ...{ max: 1, connect_timeout: 2, onnotice: () => {} },
    connection: { application_name: 'chaos', statement_timeout: 2_000 },
  })
  const asked = ask(sql).catch(() => {})
  await Promise.race([asked, sleep(3_000)])
  await sql.end({ timeout: 0 }).catch(() => {})
}

/** Process ids are given again: only one that runs out of this folder is meant. */
async function isRunOf(pid: number, folder: string): Promise<boolean> {
  const { stdout } = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  return stdout.includes(folder)
}
