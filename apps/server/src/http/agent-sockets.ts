// Which agents are connected to this server, and who of them must go: removed, quarantined, outrun by a newer session, or of a database
// that a standby has replaced since.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@restic-manager/runtime/log'
import type { HostSession } from '../context.ts'
import type { Bus } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { type Over, overAmong } from '../fleet/over-sessions.ts'
import { describeError } from './error-log.ts'
import type { CloseReason, Link } from './socket-link.ts'

export type AgentSockets = {
  /** Takes a fresh connection in and closes what it fences off. */
  add(host: HostSession, link: Link): void
  size(): number
  stop(): void
}

type Connected = { link: Link; host: HostSession }

const reasons: Record<Over, CloseReason> = { shut: 'shut', fenced: 'fenced', overtaken: 'restart' }

/** How long who is to be looked at is gathered; and how much longer when more than a few are, as when a fleet comes back. */
const GATHER_MS = 20
const GATHER_MANY_MS = 180
const FEW = 2

/** Listens for changes of hosts as long as it runs. */
export function watchAgentSockets({ db, bus, log }: { db: Db; bus: Bus; log: Log }): AgentSockets {
  /** Mostly one connection each, which a map would outweigh. */
  const byHost = new Map<string, Connected[]>()
  const stopped = new AbortController()
  const due = new Set<string>()
  let looking: Promise<void> | undefined
  void watch()

  async function watch() {
    for await (const { everything, changes } of bus.wakeups([{ topic: 'session' }], stopped.signal)) {
      const ids = everything ? [...byHost.keys()] : changes.map(({ id }) => id).filter(id => byHost.has(id))
      await reviewSoon(ids)
    }
  }

  /** One look for all who come within a moment: in a storm there are many, and each would otherwise ask several times. */
  function reviewSoon(ids: readonly string[]): Promise<void> {
    for (const id of ids) due.add(id)
    looking ??= lookAt()
    return looking
  }

  async function lookAt() {
    await sleep(GATHER_MS)
    if (due.size > FEW) await sleep(GATHER_MANY_MS)
    const ids = [...due]
    due.clear()
    looking = undefined
    try {
      await review(ids)
    } catch (error) {
      // The next look is at most one poll away.
      log.warn({ error: describeError(error) }, 'could not look at the standing of connected hosts')
    }
  }

  async function review(ids: string[]) {
    if (ids.length === 0) return
    // Who comes while the database is asked may know more than its answer.
    const asked = ids.flatMap(id => byHost.get(id) ?? [])
    let overtaken = 0
    const sessions = asked.map(({ host }) => host)
    for (const { at, over } of await overAmong(db, sessions)) {
      asked[at]?.link.close(reasons[over])
      if (over === 'overtaken') overtaken += 1
    }
    if (overtaken > 0)
      log.warn(
        { hosts: overtaken },
        'a standby of the database has taken over: hosts are asked to come back and tell what it lacks',
      )
  }

  function leave(hostId: string, link: Link) {
    const left = (byHost.get(hostId) ?? []).filter(other => other.link !== link)
    if (left.length > 0) byHost.set(hostId, left)
    else byHost.delete(hostId)
  }

  return {
    add(host, link) {
      const others = byHost.get(host.id) ?? []
      for (const other of others) if (other.host.session < host.session) other.link.close('fenced')
      byHost.set(host.id, [...others, { link, host }])
      link.closed.addEventListener('abort', () => leave(host.id, link), { once: true })
      // What happened between the proof and now was announced before anybody listened for it here.
      void reviewSoon([host.id])
    },
    size: () => byHost.size,
    stop: () => stopped.abort(),
  }
}
