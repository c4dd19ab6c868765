// The processes of an embedded database: running one, keeping it running, stopping one that was left behind.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readlink, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Log } from '@restic-manager/runtime/log'
import type { PostgresPrograms, RunAs } from './postgres-binaries.ts'

const run = promisify(execFile)
const environment = {
  LC_ALL: 'C',
  TZ: 'UTC',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
}
const startDeadlineMs = 60_000
const stopDeadlineMs = 20_000

export type Postmaster = { stop(): Promise<void> }

type PostgresRun = {
  programs: PostgresPrograms
  data: string
  runAs: RunAs
  settings: Record<string, string>
  log: Log | undefined
}

/** Runs a program of PostgreSQL to its end and throws what it said when it failed. */
export async function runToEnd(program: string, args: string[], runAs: RunAs): Promise<void> {
  try {
    await run(program, args, { ...runAs, env: environment, cwd: '/' })
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new Error(`${basename(program)} failed: ${said || String(error)}`, { cause: error })
  }
}

/** Starts PostgreSQL on `data` and waits until it takes connections. Starts it again when it dies by itself. */
export async function runPostgres(options: PostgresRun): Promise<Postmaster> {
  let stopping = false
  let child = await startOnce(options)
  void keepRunning()

  async function keepRunning() {
    while (!stopping) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      if (stopping) return
      options.log?.error(
        { exitCode: child.exitCode, signal: child.signalCode },
        'the database stopped by itself; starting it again',
      )
      await sleep(500)
      try {
        if (!stopping) child = await startOnce(options)
      } catch (error) {
        options.log?.error({ err: error }, 'the database does not start')
        await sleep(2_000)
      }
    }
  }

  return {
    async stop() {
      stopping = true
      await stopChild(child)
    },
  }
}

async function startOnce({ programs, data, runAs, settings, log }: PostgresRun): Promise<ChildProcess> {
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  const child = spawn(programs.postgres, ['-D', data, ...flags], {
    ...runAs,
    env: environment,
    cwd: '/',
    // A session of its own: Ctrl-C in the terminal must not stop it before its server has finished.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said: string[] = []
  if (child.stderr)
    createInterface({ input: child.stderr }).on('line', line => {
      said.push(line)
      if (said.length > 20) said.shift()
      if (/\b(?:FATAL|PANIC):/.test(line)) log?.warn({ postgres: line }, 'the database complains')
      else log?.debug({ postgres: line }, 'the database says')
    })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(
        new Error(`PostgreSQL did not start (${signal ?? `exit ${code}`}): ${said.slice(-5).join(' ')}`),
      ),
    )
  })
  failed.catch(() => {})
  const deadline = performance.now() + startDeadlineMs
  for (;;) {
    const seen = await Promise.race([readPostmaster(data), failed])
    if (seen?.ready && seen.pid === child.pid) return child
    if (performance.now() > deadline) {
      await stopChild(child)
      throw new Error(
        `PostgreSQL was not ready after ${startDeadlineMs / 1000} seconds: ${said.slice(-5).join(' ')}`,
      )
    }
    await sleep(15)
  }
}

/** SIGINT is PostgreSQL's fast stop: sessions end, transactions roll back, a checkpoint is written. */
async function stopChild(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGINT')
  const late = setTimeout(() => child.kill('SIGQUIT'), stopDeadlineMs)
  await gone
  clearTimeout(late)
}

/** What postmaster.pid says: who runs on a data directory and where its socket is. */
export async function readPostmaster(data: string) {
  const content = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined)
  const lines = content?.split('\n') ?? []
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return { pid, sockets: lines[4]?.trim() ?? '', ready: lines[7]?.trim() === 'ready' }
}

/**
 * Stops, in order, a database that outlived its server. To be called by the owner of the data directory only.
 * A pid that now belongs to some other program is left alone.
 */
export async function stopLeftBehind(
  programs: PostgresPrograms,
  data: string,
  runAs: RunAs,
  log: Log | undefined,
) {
  const left = await readPostmaster(data)
  if (left === undefined) return
  if (await runsOn(left.pid, data)) {
    log?.warn({ pid: left.pid }, 'a server that was killed left its database running; stopping it first')
    const stop = (mode: string) =>
      runToEnd(programs.pgCtl, ['stop', '-D', data, '-m', mode, '-w', '-t', '30'], runAs)
    await stop('fast').catch(() => stop('immediate'))
  } else {
    await rm(join(data, 'postmaster.pid'), { force: true })
  }
  if (/\/rm-pg-[A-Za-z0-9]{6}$/.test(left.sockets)) await rm(left.sockets, { recursive: true, force: true })
}

async function runsOn(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux') return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === data
  const { stdout } = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }))
  return stdout.includes('postgres') && stdout.includes(data)
}
