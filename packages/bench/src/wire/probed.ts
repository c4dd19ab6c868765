// Programs that can be asked what their heap holds, and for a CPU profile of a stretch of time.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { ProbeAnswer, ProbeOrder } from './probe.ts'

/** What Node is told for one. It takes a channel to whoever asks. */
export const probeFlags = ['--expose-gc', '--import', path.join(import.meta.dirname, 'probe.ts')]

/** Puts an order and waits for the next word of the program. */
export async function ask<Answer>(child: ChildProcess, order: object): Promise<Answer> {
  child.send(order)
  const [said] = (await once(child, 'message')) as [Answer]
  return said
}

export const probe = async (child: ChildProcess, order: ProbeOrder) =>
  (await ask<ProbeAnswer>(child, order)).probed
