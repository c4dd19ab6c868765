// What a simulated agent sends on one connection: facts one at a time, then blocks of logs, with the harms it was told to do.
import { CommandAnswer } from '@restic-manager/contract/command'
import { Ack } from '@restic-manager/contract/fact'
import { LogAnswer, type LogStreamBlock } from '@restic-manager/contract/log'
import { ScheduleFireAnswer } from '@restic-manager/contract/schedule'
import { factAbout, nextFact, repeatFact, settleFact, type DiskLog } from './disk.ts'
import { afterFailure, Misunderstood, type Reader, type SimulatedLink } from './link.ts'
import { between, type Life } from './life.ts'
import type { SimulatedFact } from './record.ts'
import type { SimulatedRunner } from './runner.ts'
import type { SimulatedSlots } from './slots.ts'

const readers: Record<SimulatedFact['name'], Reader<unknown>> = {
  'schedule.fire': ScheduleFireAnswer,
  'schedule.notRun': Ack,
  'command.result': CommandAnswer,
  'job.started': Ack,
  'job.finished': Ack,
  'snapshots.report': Ack,
}

export type Lanes = { pumpFacts(): void; pumpLogs(): void }

export type LaneParts = {
  life: Life
  link: SimulatedLink
  runner: SimulatedRunner
  slots: SimulatedSlots
  /** Runs a step of this life: a death in it is a crash. */
  enter(work: () => void): void
  /** The session is over: a newer one was begun, or the server does not want this one. */
  onRedial(): void
}

/** Sends for as long as its link is the one in use. */
export function openLanes({ life, link, runner, slots, enter, onRedial }: LaneParts): Lanes {
  const { disk, random } = life
  let isTelling = false
  let isLogging = false
  let failures = 0
  const isMine = () => !life.isOver() && life.link() === link
  const happens = (chance: number) => random() < chance

  const misread = (what: string, why: string) => void disk.seen.misunderstood.push({ what, why })

  function pumpFacts() {
    const fact = nextFact(disk)
    if (isTelling || fact === undefined || !isMine()) return
    isTelling = true
    const calls = [link.call(fact.name, fact.message, readers[fact.name])]
    if (fact.name === 'schedule.fire' && happens(life.behaviour().firesTwice))
      calls.push(link.call(fact.name, fact.message, readers[fact.name]))
    Promise.all(calls).then(
      ([answer]) => enter(() => accept(fact, answer)),
      (error: unknown) => enter(() => refuse(fact, error)),
    )
  }

  function accept(fact: SimulatedFact, answer: unknown) {
    isTelling = false
    failures = 0
    life.mayDie() // the ack is lost with it
    fact.ackedAt ??= Date.now()
    fact.answer ??= answer
    settleFact(disk, fact)
    if (fact.name === 'command.result')
      runner.answer(String(fact.message['jobId']), (answer as CommandAnswer).proceed)
    if (fact.name === 'schedule.fire') slots.answer(fact, (answer as ScheduleFireAnswer).jobs)
    if (fact.message.lane === 'first') life.onChange()
    if (happens(life.behaviour().repeatsFacts)) repeatAny()
    pumpFacts()
    pumpLogs()
  }

  /** As if the ack of this or of an older fact had been lost. */
  function repeatAny() {
    const acked = disk.facts.slice(-20).filter(({ ackedAt }) => ackedAt !== undefined)
    const fact = acked[between(random, 0, acked.length - 1)]
    if (fact !== undefined) repeatFact(disk, fact)
  }

  function refuse(fact: SimulatedFact, error: unknown) {
    isTelling = false
    if (!isMine()) return
    if (error instanceof Misunderstood) misread(fact.name, error.message)
    const next = afterFailure(error)
    if (next === 'redial') return onRedial()
    if (next === 'setAside') {
      fact.setAside = String(error)
      settleFact(disk, fact)
      return pumpFacts()
    }
    failures += 1
    life.after(random() * Math.min(10_000, 250 * 2 ** failures), pumpFacts)
  }

  /** The next block that the server is to get. A log may go once its job is known there. */
  function nextBlock(): LogStreamBlock | undefined {
    for (const jobId of disk.unsent) {
      const started = factAbout(disk, 'job.started', jobId) ?? factAbout(disk, 'job.finished', jobId)
      if (started?.ackedAt === undefined) continue
      const log = disk.logs.get(jobId)
      const block = log?.blocks.find(({ firstSeq }) => firstSeq >= log.nextSeq)
      if (block !== undefined && log?.refused !== true) return block
      disk.unsent.delete(jobId)
    }
    return undefined
  }

  function pumpLogs() {
    // Facts overtake logs.
    if (isLogging || isTelling || !isMine()) return
    const block = nextBlock()
    if (block === undefined) return
    isLogging = true
    sendBlock(block).then(
      () => enter(() => goOn(0)),
      (error: unknown) => enter(() => misfire(block, error)),
    )
  }

  /** In its turn, perhaps after a later one, perhaps twice: whatever comes, the server says which number it expects. */
  async function sendBlock(block: LogStreamBlock) {
    const { repeatsBlocks, swapsBlocks } = life.behaviour()
    const log = disk.logs.get(block.jobId)
    if (log === undefined) return
    const later = log.blocks.find(({ firstSeq }) => firstSeq > block.firstSeq)
    if (later !== undefined && happens(swapsBlocks)) await tell(log, later)
    await tell(log, block)
    if (happens(repeatsBlocks)) await tell(log, block)
  }

  async function tell(log: DiskLog, block: LogStreamBlock) {
    const { nextSeq } = await link.call('log.stream', block, LogAnswer)
    const isBoundary = log.blocks.some(each => [each.firstSeq, each.firstSeq + each.count].includes(nextSeq))
    if (isBoundary) log.nextSeq = nextSeq
    else letGo(block, `of ${block.jobId} the server expects ${nextSeq}, where no block begins`)
  }

  /** What the server never takes is sent no more: the logs of other jobs wait behind it. */
  function letGo({ jobId }: LogStreamBlock, why: string) {
    misread('log.stream', why)
    const log = disk.logs.get(jobId)
    if (log !== undefined) log.refused = true
  }

  function goOn(waitMs: number) {
    life.after(waitMs, () => {
      isLogging = false
      pumpLogs()
    })
  }

  function misfire(block: LogStreamBlock, error: unknown) {
    if (!isMine()) return
    if (error instanceof Misunderstood) misread('log.stream', error.message)
    const next = afterFailure(error)
    if (next === 'redial') return onRedial()
    if (next === 'setAside') letGo(block, `a block of ${block.jobId} was refused: ${String(error)}`)
    goOn(between(random, 200, 1_000))
  }

  return { pumpFacts, pumpLogs }
}
