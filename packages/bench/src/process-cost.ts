// What a process has cost so far, as Linux accounts for it.
import { readFileSync } from 'node:fs'

/** Ticks a second of /proc: 100 on every Linux we run on. */
const ticksPerSecond = 100

/** Seconds of CPU the process itself has used, its children not counted. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Bytes of memory that are the process's own: proportional set size, so shared pages count once. */
export function memoryBytes(pid: number): { resident: number; proportional: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const read = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) * 1024
  return { resident: read('Rss'), proportional: read('Pss') }
}
