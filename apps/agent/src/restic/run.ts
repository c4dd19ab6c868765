// Runs restic once: lines out, exit as data, environment from nothing.
import { MAX_LINE_BYTES } from '@restic-manager/contract/log'
import { existsSync } from 'node:fs'
import { splitLines } from './line-splitter.ts'
import { readLine, type ResticLine } from './messages.ts'
import { makeRedactor, makeTailTrimmer } from './redact.ts'

export type ResticRun = {
  path: string
  args: readonly string[]
  /** Programs that become restic, such as `nice`: the pid stays the same. */
  before?: readonly string[]
  env: Record<string, string>
  /** Masked in every line, in whatever spelling. */
  secrets: readonly string[]
  /** Sends SIGINT. What the run was stopped for is the caller's to remember: restic's exit code does not say. */
  signal: AbortSignal
  /** Between SIGINT and SIGKILL. */
  graceMs: number
  /** `stdout` is collected as one document instead of split into lines. */
  document?: boolean
  onSpawn?(pid: number): void
  onLine?(line: ResticLine): void
}

export type ResticExit = {
  exitCode?: number
  signal?: NodeJS.Signals
  /** Whether SIGINT was sent. */
  interrupted: boolean
  /** The pid it had. Undefined: it could not be started, and `failure` says why. */
  pid?: number
  failure?: string
  /** What a document run printed on stdout. */
  document: string
}

/** The most bytes a document may have. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
/** Room in a line for the words about what was cut from it. */
const KEPT_LINE_BYTES = MAX_LINE_BYTES - 256
/** How long a killed restic may take to be gone. One that waits for a dead disk never is. */
const UNKILLABLE_MS = 10_000
/** How long the output may stay open after restic has ended, held by an ssh it started. */
const LEFTOVER_MS = 5_000

let follower: Promise<readonly string[]> | undefined

/**
 * What to put before restic so that the kernel interrupts it when the agent dies. It becomes restic, so the pid stays
 * the same. Nothing where the system has no such tool: busybox has a setpriv that cannot do it.
 */
async function findFollower(): Promise<readonly string[]> {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(path => existsSync(path))
  if (process.platform !== 'linux' || setpriv === undefined) return []
  const words = [setpriv, '--pdeathsig', 'INT', '--']
  const { execa } = await import('execa')
  const { exitCode } = await execa(setpriv, [...words.slice(1), setpriv, '--version'], {
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
  })
  return exitCode === 0 ? words : []
}

/** Runs restic once. Rejects only for what a listener throws: how restic ends is for the caller to read. */
export async function runRestic(run: ResticRun): Promise<ResticExit> {
  const [file = run.path, ...args] = [
    ...(await (follower ??= findFollower())),
    ...(run.before ?? []),
    run.path,
    ...run.args,
  ]
  const { execa } = await import('execa') // an agent that waits for work does without it
  if (run.signal.aborted) return { interrupted: true, document: '' }
  const child = execa(file, args, {
    env: run.env,
    extendEnv: false,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    // execa would send SIGTERM when the agent exits, at which an old restic dies and leaves its lock.
    cleanup: false,
    // A session of its own: no terminal for ssh to ask at, and a group whose leftovers can be killed last.
    detached: true,
  })
  const { pid } = child
  if (pid === undefined) {
    const { originalMessage, shortMessage } = await child
    return {
      interrupted: false,
      failure: originalMessage ?? shortMessage ?? 'it could not be started',
      document: '',
    }
  }
  // A mistake in a listener must not leave a restic behind that nobody reads.
  const mistakes: unknown[] = []
  const carefully = (act: () => void) => {
    try {
      act()
    } catch (mistake) {
      if (mistakes.push(mistake) === 1) kill(pid, 'SIGINT')
    }
  }
  const output = readOutput(child, run, carefully)
  const stop = stopOnAbort(pid, run)
  carefully(() => run.onSpawn?.(pid))
  const leftovers = { timer: undefined as NodeJS.Timeout | undefined }
  child.nodeChildProcess.once('exit', () => {
    stop.ended()
    leftovers.timer = setTimeout(() => {
      killGroup(pid)
      child.stdout.destroy()
      child.stderr.destroy()
    }, LEFTOVER_MS)
  })
  const { exitCode, signal } = await Promise.race([child, stop.unkillable.then(() => abandon(child))])
  stop.ended()
  clearTimeout(leftovers.timer)
  output.end()
  if (signal === 'SIGKILL') killGroup(pid)
  if (mistakes.length > 0) throw mistakes[0]
  return {
    pid,
    interrupted: stop.interrupted(),
    document: output.document(),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal: signal as NodeJS.Signals }),
    ...(output.failure() === undefined ? {} : { failure: output.failure() as string }),
  }
}

/** A process that not even SIGKILL ends must hold nobody up, the agent's own end included. */
function abandon({ nodeChildProcess, stdout, stderr }: AbandonedChild): KilledEnd {
  nodeChildProcess.unref()
  stdout.destroy()
  stderr.destroy()
  return { exitCode: undefined, signal: 'SIGKILL' }
}

type KilledEnd = { exitCode: undefined; signal: NodeJS.Signals }
type AbandonedChild = {
  nodeChildProcess: { unref(): void }
  stdout: { destroy(): void }
  stderr: { destroy(): void }
}
type Output = { end(): void; document(): string; failure(): string | undefined }

/** Reads both streams to their ends as fast as they come: a reader that stops would stop the backup. */
function readOutput(
  child: { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream },
  { secrets, onLine = () => {}, document = false }: ResticRun,
  carefully: (act: () => void) => void,
): Output {
  const redact = makeRedactor(secrets)
  const trim = makeTailTrimmer(secrets)
  const lines = (stream: 'stdout' | 'stderr') =>
    splitLines(KEPT_LINE_BYTES, ({ text, droppedBytes }) => {
      const line =
        droppedBytes === 0
          ? readLine(stream, text, redact)
          : { stream, payload: `${redact(trim(text))} … (${droppedBytes} bytes dropped)` }
      carefully(() => onLine(line))
    })
  const pieces: Uint8Array[] = []
  let bytes = 0
  let failure: string | undefined
  const collector = {
    push(chunk: Uint8Array) {
      bytes += chunk.length
      if (bytes <= MAX_DOCUMENT_BYTES) pieces.push(chunk)
      else failure = `restic printed more than ${MAX_DOCUMENT_BYTES} bytes`
    },
    end() {},
  }
  const stdout = document ? collector : lines('stdout')
  const stderr = lines('stderr')
  for (const [stream, reader] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    stream.on('data', (chunk: Uint8Array) => reader.push(chunk))
    stream.on('error', () => {}) // execa reports it; without a listener it would end the agent
  }
  return {
    end() {
      stdout.end()
      stderr.end()
    },
    document: () => (failure === undefined ? Buffer.concat(pieces).toString('utf8') : ''),
    failure: () => failure,
  }
}

/** SIGINT to restic alone, so that it removes its lock with the help of its ssh; then SIGKILL. */
function stopOnAbort(pid: number, { signal, graceMs }: ResticRun) {
  let interrupted = false
  let timer: NodeJS.Timeout | undefined
  const { promise: unkillable, resolve: giveUp } = Promise.withResolvers<undefined>()
  const interrupt = () => {
    interrupted = true
    kill(pid, 'SIGINT')
    timer = setTimeout(() => {
      kill(pid, 'SIGKILL')
      timer = setTimeout(giveUp, UNKILLABLE_MS, undefined)
    }, graceMs)
  }
  signal.addEventListener('abort', interrupt, { once: true })
  return {
    interrupted: () => interrupted,
    /** Resolves when restic is still there long after SIGKILL: nobody can wait for it. */
    unkillable,
    /** From here on the pid may belong to another program. */
    ended() {
      signal.removeEventListener('abort', interrupt)
      clearTimeout(timer)
    },
  }
}

function killGroup(pid: number) {
  kill(-pid, 'SIGKILL')
}

function kill(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended already.
  }
}
