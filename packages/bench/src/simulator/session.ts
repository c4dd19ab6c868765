// How a simulated agent is connected: it dials, proves itself, says hello, works on the link, and moves to another now and then.
import { TurnedAway } from '@restic-manager/agent/link'
import { planRedials, type DialEnd } from '@restic-manager/agent/redial'
import { AgentWelcome, HeartbeatAnswer } from '@restic-manager/contract/agent'
import { PROTOCOL } from '@restic-manager/contract/protocol'
import { toInstant } from '@restic-manager/contract/scalars'
import { reconcile } from './disk.ts'
import { makeId, prove, type Door } from './join.ts'
import { openLanes, type Lanes } from './lanes.ts'
import { lie } from './lies.ts'
import { between, type Life } from './life.ts'
import { afterFailure, dial, type SimulatedLink } from './link.ts'
import type { LinkEvent } from './agent-options.ts'
import { openOrderDesk } from './orders.ts'
import type { SimulatedRunner } from './runner.ts'
import type { SimulatedSlots } from './slots.ts'
import type { TimerWheel } from './timer-wheel.ts'

export type SessionParts = {
  life: Life
  door: Door
  wheel: TimerWheel
  onLink(event: LinkEvent): void
  runner: SimulatedRunner
  slots: SimulatedSlots
  enter(work: () => void): void
}

export type Session = {
  link(): SimulatedLink | undefined
  downSince(): number | undefined
  lanes(): Lanes | undefined
  /** Dials from now on, unless it does already. */
  start(): void
  /** Ends whatever link there is, and dials no more before `start`. */
  end(): void
}

type Ack = { path: 'config.ack' | 'schedule.ack'; payload: object }

/** The connections of one life, one after another. */
export function openSession({ life, door, wheel, onLink, runner, slots, enter }: SessionParts): Session {
  const { disk, random, timing } = life
  let current: { link: SimulatedLink; lanes: Lanes } | undefined
  let downSince: number | undefined = Date.now()
  let isWanted = false
  let isDialling = false
  let heldSince = 0
  const waitAfter = planRedials(timing, random)
  /** Links of sessions that are over, kept open for a while. */
  const stale = new Set<SimulatedLink>()

  const isOn = () => isWanted && !life.isOver()

  /** By the rules of a real agent. `end`: how the last dial ended; undefined: this is the first. */
  function connectSoon(end?: DialEnd) {
    if (!isOn() || isDialling || current !== undefined) return
    isDialling = true
    life.after(end === undefined ? 0 : waitAfter(end), () => connect())
  }

  /** `old`: a link that goes on until its session has been replaced. */
  function connect(old?: SimulatedLink) {
    isDialling = true
    onLink('dialled')
    openOne(old).then(
      () => settle(undefined),
      (error: unknown) => settle(error),
    )
    const settle = (error: unknown) =>
      enter(() => {
        isDialling = false
        if (error instanceof TurnedAway) onLink('turnedAway')
        else if (error !== undefined) onLink('failed')
        connectSoon({ error, heldMs: 0, isRestart: false })
      })
  }

  async function openOne(old: SimulatedLink | undefined) {
    const { hostId, key, confirmed } = disk
    const next = (disk.next ??= makeId(random))
    const bearer = await prove(door, { hostId, key, confirmed, next })
    if (old !== undefined) {
      leave(old)
      void lie(life, old).finally(() => stale.delete(old))
    }
    if (!isOn()) return
    const opened: { link?: SimulatedLink } = {}
    const withIt = (work: (link: SimulatedLink) => void) => () =>
      enter(() => opened.link !== undefined && work(opened.link))
    const watched = { onClosed: withIt(leave), onSilent: withIt(fallSilent) }
    const { url, localAddress, connection } = door
    const link = await dial({ url, localAddress, connection, bearer, timing, wheel, ...watched })
    opened.link = link
    if (!isOn()) return link.cut()
    const welcome = await link.call('agent.hello', hello(), AgentWelcome)
    if (!isOn() || !link.isOpen()) return link.cut()
    disk.confirmed = next
    disk.next = null
    enter(() => begin(link, welcome))
  }

  const hello = () => ({
    ...{ protocolVersion: PROTOCOL, agentVersion: '0.1.0', resticVersion: '0.18.0', hostname: disk.hostname },
    ...{ os: 'linux', arch: 'amd64', timeZone: 'UTC', spoolEpoch: disk.epoch, policy: { hooks: 'off' } },
    appliedScheduleVersion: disk.plan.version,
    appliedConfigVersion: disk.config.version,
    knownJobs: knownJobs(),
  })

  function knownJobs() {
    const open = [...disk.open].map(jobId => ({
      jobId,
      status: disk.jobs.get(jobId)?.state === 'running' ? 'running' : 'accepted',
    }))
    const ended = disk.waiting.rest.flatMap(({ name, message }) =>
      name === 'job.finished' ? { jobId: message['jobId'], status: message['status'] } : [],
    )
    return [...open, ...ended].slice(0, 1_000)
  }

  function begin(link: SimulatedLink, welcome: AgentWelcome) {
    const lanes = openLanes({ life, link, runner, slots, enter, onRedial: () => leave(link) })
    current = { link, lanes }
    downSince = undefined
    heldSince = Date.now()
    reconcile(disk, welcome.ackedSeq)
    const tellAck = openAcks(link)
    const desk = openOrderDesk({ life, runner, slots, ack: (path, payload) => tellAck({ path, payload }) })
    const silent = new Set(['agent.orders', 'schedule.set'])
    const follow = (path: string, take: (received: unknown) => void) =>
      link.subscribe(path, received =>
        enter(() => {
          if (!isCurrent(link)) return
          take(received)
          if (silent.delete(path) && silent.size === 0) onLink('in')
        }),
      )
    follow('agent.orders', desk.takeOrder)
    follow('schedule.set', desk.takeSet)
    beat(link, welcome.heartbeatIntervalMs)
    thinkOfMoving(link)
    life.onChange()
    lanes.pumpFacts()
    lanes.pumpLogs()
  }

  const isCurrent = (link: SimulatedLink) => current?.link === link
  /** Tells the newest ack of each kind, one at a time: two under way could be taken in the wrong order. */
  function openAcks(link: SimulatedLink) {
    const newest = new Map<Ack['path'], object>()
    const telling = new Set<Ack['path']>()

    function tell(path: Ack['path']) {
      const payload = newest.get(path)
      if (payload === undefined || !isCurrent(link)) return void telling.delete(path)
      telling.add(path)
      link.call(path, payload, { parse: () => undefined }).then(
        () =>
          enter(() => {
            if (newest.get(path) === payload) newest.delete(path)
            tell(path)
          }),
        (error: unknown) =>
          enter(() => {
            if (!isCurrent(link)) return
            if (afterFailure(error) === 'redial') return leave(link)
            life.after(between(random, 100, 1_000), () => tell(path))
          }),
      )
    }

    return ({ path, payload }: Ack) => {
      newest.set(path, payload)
      if (!telling.has(path)) tell(path)
    }
  }

  function beat(link: SimulatedLink, everyMs: number) {
    if (!isCurrent(link)) return
    const spool = { facts: disk.waiting.first.length + disk.waiting.rest.length, logBytes: disk.unsent.size }
    link
      .call('agent.heartbeat', { sentAt: toInstant(Date.now()), spool }, HeartbeatAnswer)
      .catch((error: unknown) =>
        enter(() => isCurrent(link) && afterFailure(error) === 'redial' && leave(link)),
      )
    life.after(everyMs, () => beat(link, everyMs))
  }

  /** Its session goes on in another connection before this one is closed. */
  function thinkOfMoving(link: SimulatedLink) {
    life.after(between(random, timing.heartbeat, 3 * timing.heartbeat), () => {
      if (!isCurrent(link)) return
      if (!isDialling && random() < life.behaviour().speaksInOldSession) connect(keep(link))
      thinkOfMoving(link)
    })
  }

  /** The peer is silent: gone, or paused. Who comes back from a pause must not be believed any more. */
  function fallSilent(link: SimulatedLink) {
    if (!isCurrent(link)) return link.cut()
    if (isDialling || random() >= life.behaviour().speaksInOldSession) return leave(link)
    drop(link)
    connect(keep(link))
  }

  function keep(link: SimulatedLink): SimulatedLink {
    stale.add(link)
    return link
  }

  function drop(link: SimulatedLink) {
    if (!isCurrent(link)) return
    current = undefined
    downSince = Date.now()
    onLink('out')
  }

  function leave(link: SimulatedLink) {
    const heldMs = isCurrent(link) ? Date.now() - heldSince : 0
    drop(link)
    if (!stale.has(link)) link.cut()
    connectSoon({ heldMs, isRestart: link.isRestart() })
    life.onChange()
  }

  return {
    link: () => current?.link,
    downSince: () => downSince,
    lanes: () => current?.lanes,
    start() {
      isWanted = true
      connectSoon()
    },
    end() {
      isWanted = false
      for (const link of stale) link.cut()
      stale.clear()
      if (current !== undefined) leave(current.link)
    },
  }
}
