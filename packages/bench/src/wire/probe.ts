// Loaded into a program that is measured: tells over its channel what its heap holds, and writes profiles of a stretch of time.
import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'

/** `gc`: what is garbage goes first; the program was started with --expose-gc for that. */
export type ProbeOrder = { probe: 'memory' } | { probe: 'profile' } | { probe: 'writeProfile'; file: string }
/** `external`: what the heap refers to and does not hold, as bytes that wait for a socket. */
export type ProbeAnswer = { probed: { rss: number; heapUsed: number; external: number } }

const session = new Session()

async function obey(order: ProbeOrder) {
  if (order.probe === 'profile') {
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: 500 })
    await session.post('Profiler.start')
  } else if (order.probe === 'writeProfile') {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    await writeFile(order.file, JSON.stringify(profile))
  } else for (let round = 0; round < 3; round += 1) globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  process.send?.({ probed: { rss, heapUsed, external } } satisfies ProbeAnswer)
}

process.on('message', order => {
  if (typeof order === 'object' && order !== null && 'probe' in order) void obey(order as ProbeOrder)
})
// Whoever waits for the channel to close must not wait for this.
process.channel?.unref()
