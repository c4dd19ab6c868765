// What a simulated host sends of its logs: blocks that the wire takes, and one that is refused keeps no other log back.
import { generateKeyPairSync } from 'node:crypto'
import { newId } from '@restic-manager/contract/ids'
import { decodeBlock, LogStreamBlock, MAX_BLOCK_BYTES } from '@restic-manager/contract/log'
import { timing } from '@restic-manager/contract/timing'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import type { SimulatedBehaviour } from './agent-options.ts'
import { addFact, formatDisk, recordOf, type Disk } from './disk.ts'
import { openLanes, type LaneParts } from './lanes.ts'
import type { Life } from './life.ts'
import { Refused, type SimulatedLink } from './link.ts'
import { cutBlock, drawCourse } from './work.ts'

const quiet: Required<SimulatedBehaviour> = {
  ...{ workMs: { least: 1, most: 1 }, failing: 0, incomplete: 0, logLines: 5_000, crashes: 0 },
  ...{ repeatsFacts: 0, repeatsBlocks: 0, swapsBlocks: 0, firesTwice: 0, speaksInOldSession: 0 },
}

const format = () => {
  const key = generateKeyPairSync('ed25519').privateKey
  return formatDisk({ hostId: newId(), hostname: 'web-1', key, epoch: newId() })
}

test('however long a log is, each of its blocks is one that the wire takes', () => {
  const disk = format()
  for (let n = 0; n < 10; n += 1) {
    const { blocks } = drawCourse(Math.random, quiet, 'backup')
    for (const count of blocks)
      cutBlock(disk, `00000000-0000-7000-8000-0000000000${10 + n}`, count, Math.random)
  }
  for (const block of [...disk.logs.values()].flatMap(({ blocks }) => blocks)) {
    expect(Buffer.byteLength(LogStreamBlock.parse(block).block)).toBeLessThanOrEqual(MAX_BLOCK_BYTES)
    expect(decodeBlock(block).length).toBeGreaterThan(0)
  }
})

/** Opens lanes to a server that answers blocks as `answer` does. */
function openTo(disk: Disk, answer: (block: LogStreamBlock) => number) {
  const link = {
    call: async (_path: string, block: LogStreamBlock) => ({ nextSeq: answer(block) }),
  } as unknown as SimulatedLink
  const life = {
    ...{ disk, timing, random: () => 0.5, behaviour: () => quiet, isOver: () => false, link: () => link },
    after(_ms: number, work: () => void) {
      setImmediate(work)
      return () => {}
    },
  } as unknown as Life
  const parts = { life, link, enter: (work: () => void) => work(), onRedial() {} } as unknown as LaneParts
  return openLanes(parts)
}

test.each([
  [
    'refuses',
    () => {
      throw new Refused('BAD_REQUEST', 'It is too big.')
    },
  ],
  ['answers with a number that fits nothing', () => 7_777_777],
])('a log that the server %s is given up and noted, and the others arrive', async (_how, spoil) => {
  const disk = format()
  const [spoilt, good] = [newId(), newId()]
  for (const jobId of [spoilt, good]) {
    addFact(disk, 'job.started', { jobId }).ackedAt = Date.now()
    cutBlock(disk, jobId, 3, Math.random)
    cutBlock(disk, jobId, 3, Math.random)
  }
  disk.waiting.rest = []
  const lanes = openTo(disk, block => (block.jobId === spoilt ? spoil() : block.firstSeq + block.count))
  lanes.pumpLogs()
  await until(() => disk.unsent.size === 0)
  const { logs, misunderstood } = recordOf(disk, true)
  expect(logs.map(({ jobId, acked }) => [jobId, acked])).toEqual([
    [spoilt, false],
    [good, true],
  ])
  expect(misunderstood.map(({ what }) => what)).toEqual(['log.stream'])
})
