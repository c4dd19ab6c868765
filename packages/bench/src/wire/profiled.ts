// A CPU profile of the server over a stretch of time, where one is asked for.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Side } from './stand.ts'

/** Does `work`; with a folder given, what the server did meanwhile is written there as NAME.cpuprofile, and costs a little itself. */
export async function profiled<T>(
  side: Side,
  folder: string | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  if (folder === undefined) return work()
  await mkdir(folder, { recursive: true })
  await side.probe({ probe: 'profile' })
  const done = await work()
  await side.probe({ probe: 'writeProfile', file: path.join(folder, `${name}.cpuprofile`) })
  return done
}
