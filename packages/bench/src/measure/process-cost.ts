// What a process has cost so far, as Linux accounts for it.
import { readFileSync } from 'node:fs'

/** Ticks a second of /proc: 100 on every Linux we run on. */
const ticksPerSecond = 100

/** Seconds of CPU the process itself has used, its children not counted. */
export function cpuSeconds(pid: number): number {
  return secondsIn(pid, [11, 12])
}

/** The sum of these fields of its stat, in seconds. */
function secondsIn(pid: number, fields: readonly number[]): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const values = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.reduce((total, field) => total + Number(values[field]), 0) / ticksPerSecond
}

/** Bytes of memory that are the process's own: proportional set size, so shared pages count once. */
export function memoryBytes(pid: number): { resident: number; proportional: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const read = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) * 1024
  return { resident: read('Rss'), proportional: read('Pss') }
}

/** Seconds of CPU of a process, of the children it has now, and of those it had. */
export function treeCpuSeconds(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean)
  return children.reduce(
    (total, child) => total + treeCpuSeconds(Number(child)),
    secondsIn(pid, [11, 12, 13, 14]),
  )
}

/** The most bytes of memory it ever had resident. */
export function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024
}

/** Bytes of memory of a process and the children it has now: what they share counts once. */
export function treeMemoryBytes(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean)
  return children.reduce(
    (total, child) => total + treeMemoryBytes(Number(child)),
    memoryBytes(pid).proportional,
  )
}
