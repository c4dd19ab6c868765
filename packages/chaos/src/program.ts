// A program of ours as a process that can be killed, told to stop, frozen and started again, and that keeps what it wrote.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { MemorySamples, ProcessExit } from '@restic-manager/bench/checker/evidence'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'

/** What is kept of the words of one program: far more than a run that is well ever writes. */
const mostWords = 64 * 1024 * 1024

export type ProgramOptions = {
  name: string
  argv: readonly string[]
  env: Record<string, string>
  /** Resolves a start when it answers true. Without it a start is over at once. */
  isReady?: (line: string) => boolean
}

/** Told to change, it first finishes the change before. Each start is a life of its own. */
export type Program = {
  readonly name: string
  /** The process of now; undefined while it is down. */
  pid(): number | undefined
  start(): Promise<void>
  /** Ends it by SIGTERM, then by SIGKILL when it takes longer than `graceMs`. */
  stop(graceMs?: number): Promise<void>
  kill(): Promise<void>
  freeze(): void
  thaw(): void
  /** Everything that its lives wrote to standard error. */
  words(): string
  /** Ends that nobody asked for are not `caused`. A start that failed is: its database may be away. */
  exits(): ProcessExit[]
  /** Notes how much memory it takes now. */
  sample(): Promise<void>
  memory(): MemorySamples[]
}

/** A program that does not run yet. Without its starter it ends by itself: it is told so over its channel. */
export function makeProgram({ name, argv, env, isReady }: ProgramOptions): Program {
  let child: ChildProcess | undefined
  let said = ''
  let isUp = false
  const exits: ProcessExit[] = []
  const memory: MemorySamples[] = []

  async function start() {
    if (child !== undefined) return
    isUp = isReady === undefined
    const mine = spawn(process.execPath, [...argv], {
      env: { ...nodeEnvironment, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Ctrl-C in the terminal reaches only the runner: the order of stopping is its own.
      detached: true,
    })
    child = mine
    memory.push({ name: `${name} (${mine.pid})`, samples: [] })
    const began = said.length
    mine.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += said.length < mostWords ? text : ''
    })
    const ready = Promise.withResolvers<void>()
    const lines = createInterface({ input: mine.stdout as NodeJS.ReadableStream })
    lines.on('line', line => {
      if (!isReady?.(line)) return
      isUp = child === mine
      ready.resolve()
    })
    mine.once('exit', (code, signal) => {
      exits.push({ name, code, signal, at: new Date(), caused: !isUp })
      if (child === mine) child = undefined
      ready.reject(
        new Error(`${name} ended (${signal ?? `exit ${code}`}): ${said.slice(began).slice(-2_000)}`),
      )
    })
    ready.promise.catch(() => {})
    if (isReady !== undefined) await ready.promise
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL', graceMs?: number) {
    isUp = false
    const mine = child
    if (mine === undefined) return
    // Not its exit: its last words may still be on their way then.
    const gone = once(mine, 'close')
    mine.kill(signal)
    const late = graceMs === undefined ? undefined : setTimeout(() => mine.kill('SIGKILL'), graceMs)
    await gone
    clearTimeout(late)
  }

  return {
    name,
    pid: () => child?.pid,
    start,
    stop: (graceMs = 60_000) => end('SIGTERM', graceMs),
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    words: () => said,
    exits: () => [...exits],
    async sample() {
      const rssBytes = child?.pid === undefined ? undefined : await rssOf(child.pid)
      if (rssBytes !== undefined) memory.at(-1)?.samples.push({ at: Date.now(), rssBytes })
    },
    memory: () => memory.filter(({ samples }) => samples.length > 0),
  }
}

/** Undefined where there is no /proc, or no such process any more. */
async function rssOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kib === undefined ? undefined : Number(kib) * 1024
}
