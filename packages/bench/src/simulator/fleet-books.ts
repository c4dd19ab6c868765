// What became of the facts, jobs and logs of many simulated agents, added up from their own books.
import type { FleetBooks, HostBook } from './fleet-orders.ts'
import type { SimulatedRecord } from './record.ts'

/** From a slot until its job began, beside the names of facts. */
export const slotToStart = 'slot to start'

/** Adds up the books of agents. `inAt`: when each came in last. */
export function booksOf(records: readonly SimulatedRecord[], inAt: readonly number[]): FleetBooks {
  const books: FleetBooks = {
    ...{ facts: 0, acked: 0, setAside: 0, misunderstood: 0, jobs: 0, ended: {}, waits: {}, hosts: [] },
    logs: { jobs: 0, blocks: 0, lines: 0, unsent: 0 },
  }
  const wait = (name: string, ms: number) => void (books.waits[name] ??= []).push(ms)
  for (const [place, record] of records.entries()) {
    books.facts += record.facts.length
    books.misunderstood += record.misunderstood.length
    for (const { name, message, ackedAt, setAside } of record.facts) {
      if (setAside !== undefined) books.setAside += 1
      if (ackedAt === undefined) continue
      books.acked += 1
      wait(name, ackedAt - Date.parse(message.occurredAt))
      const { scheduledAt, startedAt } = message as { scheduledAt?: string; startedAt?: string }
      if (name === 'job.started' && scheduledAt !== undefined && startedAt !== undefined)
        wait(slotToStart, Date.parse(startedAt) - Date.parse(scheduledAt))
    }
    books.jobs += record.jobs.length
    for (const { end } of record.jobs)
      if (end !== undefined) books.ended[end.status] = (books.ended[end.status] ?? 0) + 1
    for (const { blocks, acked } of record.logs) {
      books.logs.jobs += 1
      books.logs.blocks += blocks.length
      books.logs.lines += blocks.reduce((lines, { count }) => lines + count, 0)
      if (!acked) books.logs.unsent += 1
    }
    books.hosts.push(hostBook(record, inAt[place] ?? 0))
  }
  return books
}

function hostBook({ hostId, jobs, facts }: SimulatedRecord, inAt: number): HostBook {
  const last = jobs.findLast(({ end }) => end !== undefined)
  const reported = facts.findLast(({ name }) => name === 'snapshots.report')
  const pages = facts.filter(
    ({ name, message }) =>
      name === 'snapshots.report' && message['reportId'] === reported?.message['reportId'],
  )
  return {
    ...{ hostId, inAt },
    lastJob: last?.end === undefined ? undefined : { jobId: last.header.jobId, status: last.end.status },
    snapshots: pages.reduce((total, { message }) => total + (message['snapshots'] as unknown[]).length, 0),
  }
}

/** Adds up what several processes told. */
export function addBooks(all: readonly FleetBooks[]): FleetBooks {
  const sum = (read: (books: FleetBooks) => number) => all.reduce((total, books) => total + read(books), 0)
  const ended: FleetBooks['ended'] = {}
  const waits: FleetBooks['waits'] = {}
  for (const books of all) {
    for (const [status, count] of Object.entries(books.ended)) ended[status] = (ended[status] ?? 0) + count
    for (const [name, each] of Object.entries(books.waits)) waits[name] = [...(waits[name] ?? []), ...each]
  }
  return {
    ...{ facts: sum(({ facts }) => facts), acked: sum(({ acked }) => acked), ended, waits },
    ...{ setAside: sum(({ setAside }) => setAside), misunderstood: sum(books => books.misunderstood) },
    jobs: sum(({ jobs }) => jobs),
    logs: {
      ...{ jobs: sum(({ logs }) => logs.jobs), blocks: sum(({ logs }) => logs.blocks) },
      ...{ lines: sum(({ logs }) => logs.lines), unsent: sum(({ logs }) => logs.unsent) },
    },
    hosts: all.flatMap(({ hosts }) => hosts),
  }
}
