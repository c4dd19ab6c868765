// Runs a program that is not restic, once: its words line by line, its end as a sentence.
import { MAX_LINE_BYTES } from '@restic-manager/contract/log'
import { splitLines } from './restic/line-splitter.ts'
import { makeRedactor, makeTailTrimmer } from './restic/redact.ts'

export type ProgramRun = {
  env: Record<string, string>
  cwd: string
  /** Stops the program and what it started. */
  signal: AbortSignal
  timeoutMs: number
  /** Masked in every line, in whatever spelling. */
  secrets: readonly string[]
  onSpawn(pid: number): void
  onLine(stream: 'stdout' | 'stderr', line: string): void
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 10_000
/** How long a killed program may take to be gone. One that waits for a dead disk never is. */
const UNKILLABLE_MS = 10_000
/** How long its output may stay open after its end, held by something it started and left running. */
const LEFTOVER_MS = 1_000
/** More than that of its words is not kept. */
const MAX_OUTPUT_BYTES = 1024 * 1024
const KEPT_LINE_BYTES = MAX_LINE_BYTES - 512

/** Undefined when it ended with 0. Else how it ended, as the rest of a sentence that begins with its name. */
export async function runProgram(argv: readonly string[], run: ProgramRun): Promise<string | undefined> {
  const [file = '', ...args] = argv
  const { execa } = await import('execa')
  if (run.signal.aborted) return 'was stopped before it began.'
  const child = execa(file, args, {
    env: run.env,
    cwd: run.cwd,
    extendEnv: false,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    cleanup: false,
    windowsHide: true,
    // A group of its own, so that what it started can be stopped with it.
    detached: process.platform !== 'win32',
  })
  const { pid } = child
  if (pid === undefined) {
    const { originalMessage, shortMessage } = await child
    return `could not be started: ${originalMessage ?? shortMessage ?? 'no reason given'}.`
  }
  const words = collectLines(run)
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Uint8Array) => words[stream].push(chunk))
    child[stream].on('error', () => {}) // execa reports it; without a listener it would end the agent
  }
  const limit = AbortSignal.timeout(Math.min(run.timeoutMs, 2 ** 31 - 1))
  const stop = stopOnAbort(pid, AbortSignal.any([run.signal, limit]))
  let leftovers: NodeJS.Timeout | undefined
  child.nodeChildProcess.once('exit', () => {
    stop.ended()
    leftovers = setTimeout(() => {
      child.stdout.destroy()
      child.stderr.destroy()
    }, LEFTOVER_MS)
  })
  try {
    run.onSpawn(pid)
  } catch (mistake) {
    tell(pid, 'SIGKILL') // nobody would know of it
    throw mistake
  }
  // Not the child itself: to tell which of its many shapes wins the race takes the compiler a fifth of its time.
  const ended = child.then(how => ({ exitCode: how.exitCode, signal: how.signal }))
  const { exitCode, signal } = await Promise.race([ended, stop.unkillable])
  stop.ended()
  clearTimeout(leftovers)
  words.stdout.end()
  words.stderr.end()
  if (stop.wasStopped()) {
    if (limit.aborted && !run.signal.aborted)
      return `took longer than ${minutes(run.timeoutMs)} and was stopped.`
    return 'was stopped.'
  }
  if (exitCode === 0) return undefined
  const how =
    exitCode === undefined ? `was ended by ${signal ?? 'a signal'}` : `ended with exit code ${exitCode}`
  const said = words.last()
  return said === '' ? `${how}.` : `${how}. It said: ${said}`
}

function collectLines({ secrets, onLine }: ProgramRun) {
  const redact = makeRedactor(secrets)
  const trim = makeTailTrimmer(secrets)
  let bytes = 0
  let last = ''
  const lines = (stream: 'stdout' | 'stderr') =>
    splitLines(KEPT_LINE_BYTES, ({ text, droppedBytes }) => {
      if (bytes > MAX_OUTPUT_BYTES) return
      bytes += text.length + droppedBytes + 1
      const line =
        droppedBytes === 0 ? redact(text) : `${redact(trim(text))} … (${droppedBytes} bytes dropped)`
      if (line.trim() !== '') last = line.slice(0, 500)
      onLine(stream, line)
      if (bytes > MAX_OUTPUT_BYTES) onLine(stream, 'says too much; the rest is not kept')
    })
  return { stdout: lines('stdout'), stderr: lines('stderr'), last: () => last }
}

/** SIGTERM to the whole group, then SIGKILL. */
function stopOnAbort(pid: number, signal: AbortSignal) {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const { promise: unkillable, resolve } = Promise.withResolvers<{ exitCode?: number; signal?: string }>()
  const stop = () => {
    stopped = true
    tell(pid, 'SIGTERM')
    timer = setTimeout(() => {
      tell(pid, 'SIGKILL')
      timer = setTimeout(resolve, UNKILLABLE_MS, {})
    }, GRACE_MS)
  }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return {
    wasStopped: () => stopped,
    unkillable,
    ended() {
      signal.removeEventListener('abort', stop)
      clearTimeout(timer)
      if (stopped) tell(pid, 'SIGKILL')
    },
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch {
    // It has ended already.
  }
}

function minutes(ms: number): string {
  const count = Math.max(1, Math.round(ms / 60_000))
  return count === 1 ? '1 minute' : `${count} minutes`
}
