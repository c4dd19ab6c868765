// A process full of simulated agents. It is told over its channel to let them join, to let them work, and to say how they stand.
import { newId } from '@restic-manager/contract/ids'
import type { JobHeader } from '@restic-manager/contract/job'
import type { Timing } from '@restic-manager/contract/timing'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSimulatedAgent } from './agent.ts'
import type { LinkEvent, SimulatedAgent } from './agent-options.ts'

/** `localAddress` undefined: from wherever the system says. `everyMs`: no two are let in closer to each other. */
export type StormJoin = {
  url: string
  everyMs: number
  timing: Partial<Timing>
  hosts: { hostname: string; token: string; localAddress: string | undefined }[]
}

/** Each order is answered by one message. */
export type StormOrder =
  | ({ do: 'join' } & StormJoin)
  /** Each host runs one backup that nobody ordered, into the repository it has by its place in the list. What is counted begins anew. */
  | { do: 'work'; repositoryIds: string[] }
  | { do: 'look' }
  | { do: 'tell' }

/** How the agents of a process stand now. `in`: how many of them are connected and have heard everything. */
export type StormStanding = {
  in: number
  openJobs: number
  waitingFacts: number
  dials: number
  mostDials: number
  turnedAway: number
  failed: number
}

/** What became of the facts, by the agents' own books. */
export type StormBooks = {
  facts: number
  acked: number
  setAside: number
  jobs: { hostId: string; jobId: string }[]
}

type Guest = {
  agent: SimulatedAgent
  isIn: boolean
  dials: number
  turnedAway: number
  failed: number
  jobId: string
}

const guests: Guest[] = []

/** Joins under way at once. */
const AT_ONCE = 16

async function join({ url, hosts, everyMs, timing }: StormJoin) {
  const began = performance.now()
  const waiting = [...hosts.entries()]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [place, { hostname, token, localAddress }] = next
        await sleep(Math.max(0, began + place * everyMs - performance.now()))
        const counts = { isIn: false, dials: 0, turnedAway: 0, failed: 0, jobId: newId() }
        const agent = await startSimulatedAgent({
          ...{ url, token, hostname, timing, random: Math.random, behaviour: { logLines: 20 } },
          ...(localAddress === undefined ? {} : { localAddress }),
          onLink: event => note(counts, event),
        })
        guests[place] = Object.assign(counts, { agent })
      }
    }),
  )
}

function note(guest: Omit<Guest, 'agent'>, event: LinkEvent) {
  switch (event) {
    case 'dialled':
      guest.dials += 1
      return
    case 'turnedAway':
      guest.turnedAway += 1
      return
    case 'failed':
      guest.failed += 1
      return
    case 'in':
      guest.isIn = true
      return
    case 'out':
      guest.isIn = false
  }
}

function work(repositoryIds: readonly string[]) {
  for (const [place, guest] of guests.entries()) {
    Object.assign(guest, { dials: 0, turnedAway: 0, failed: 0 })
    const repositoryId = repositoryIds[place] ?? ''
    guest.agent.runAlone({ jobId: guest.jobId, kind: 'backup', repositoryId } satisfies JobHeader)
  }
}

const sum = (read: (guest: Guest) => number) => guests.reduce((total, guest) => total + read(guest), 0)

const look = (): StormStanding => ({
  in: sum(({ isIn }) => Number(isIn)),
  openJobs: sum(({ agent }) => agent.standing().openJobs),
  waitingFacts: sum(({ agent }) => agent.standing().waitingFacts),
  dials: sum(({ dials }) => dials),
  mostDials: guests.reduce((most, { dials }) => Math.max(most, dials), 0),
  turnedAway: sum(({ turnedAway }) => turnedAway),
  failed: sum(({ failed }) => failed),
})

function tell(): StormBooks {
  const facts = guests.flatMap(({ agent }) => agent.record().facts)
  return {
    facts: facts.length,
    acked: facts.filter(({ ackedAt }) => ackedAt !== undefined).length,
    setAside: facts.filter(({ setAside }) => setAside !== undefined).length,
    jobs: guests.map(({ agent: { hostId }, jobId }) => ({ hostId, jobId })),
  }
}

async function obey(order: StormOrder): Promise<StormStanding | StormBooks> {
  if (order.do === 'tell') return tell()
  if (order.do === 'join') await join(order)
  if (order.do === 'work') work(order.repositoryIds)
  return look()
}

process.on('message', order => {
  obey(order as StormOrder).then(
    answer => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  )
})
// Without its starter it ends.
process.on('disconnect', () => process.exit())
