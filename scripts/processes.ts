// Starts and stops the built server and agents as processes of their own, for `npm start`, the demo and the screenshots.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { withLock } from './project-lock.mjs'
import { ensureRestic } from './restic.mjs'

/** The folder of this checkout. */
export const root = path.resolve(import.meta.dirname, '..')

/** Where the build puts the programs. */
export const entries = {
  server: path.join(root, 'apps/server/dist/main.js'),
  admin: path.join(root, 'apps/server/dist/admin.js'),
  agent: path.join(root, 'apps/agent/dist/agent.cjs'),
}

export type Environment = Record<string, string | undefined>

/** What Node is told for an agent, as in docker/agent-entry.sh. docs/decisions/lean-agent.md says why. */
export const agentFlags = [
  '--max-semi-space-size=1',
  '--max-old-space-size=64',
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  '--optimize-for-size',
]

/** The same in its environment: its code compiled once, and one arena for all threads. */
export const agentEnvironment = (stateDir: string): Environment => ({
  NODE_COMPILE_CACHE: path.join(stateDir, 'code'),
  MALLOC_ARENA_MAX: '1',
})

/** The same for the server, whose threads would otherwise each keep what they have used of memory for themselves. */
export const serverEnvironment: Environment = { MALLOC_ARENA_MAX: '2' }

/** A program of ours that runs. `exited` resolves with how it ended and never rejects. */
export type Program = {
  name: string
  child: ChildProcess
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

type StartOptions = {
  env: Environment
  onLine?: (line: string) => void
  quiet?: boolean
  through?: readonly string[]
}

/**
 * Starts one of our programs in its own process group, so that Ctrl-C in the terminal reaches only this one and the
 * order of stopping is ours. The IPC channel tells it when we are gone.
 */
export function startProgram(
  name: string,
  argv: string[],
  { env, onLine, quiet = false, through = [] }: StartOptions,
): Program {
  const [program = process.execPath, ...rest] = [...through, process.execPath, ...argv]
  const child = spawn(program, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit', 'ipc'],
    detached: true,
  })
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(resolve => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', () => resolve({ code: 127, signal: null }))
  })
  if (child.stdout) createInterface({ input: child.stdout }).on('line', line => onLine?.(line))
  return { name, child, exited }
}

/** Asks a program to stop and waits for it; kills it when it does not within `graceMs`. */
export async function stopProgram(program: Program, graceMs = 120_000) {
  program.child.kill('SIGTERM')
  const deadline = setTimeout(() => program.child.kill('SIGKILL'), graceMs)
  const result = await program.exited
  clearTimeout(deadline)
  return result
}

/** Runs one of our programs to its end and gives back what it printed. Throws its own words when it fails. */
export async function runProgram(argv: string[], env: Environment): Promise<string> {
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(stderr.trim() || `${path.basename(argv[0] ?? '')} exited with ${code}`)
  return stdout.trim()
}

/** Builds what has changed since the last build. Whoever comes while somebody builds waits: both write the same files. */
export const build = () => withLock(path.join(root, '.turbo/build.lock'), buildAlone)

async function buildAlone() {
  const turbo = spawn(
    process.execPath,
    [path.join(root, 'node_modules/turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only'],
    {
      cwd: root,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let said = ''
  turbo.stdout.setEncoding('utf8').on('data', chunk => (said += chunk))
  const [code] = await once(turbo, 'close')
  if (code !== 0) throw new Error(`The build failed:\n${said}`)
}

/** A server that accepts requests. `setupLink` is there while no operator exists. */
export type RunningServer = Program & { url: string; setupLink: string | undefined }

/** Starts the server and waits until it is ready. Throws when it ends before that; its own words are on stderr. */
export async function startServerProgram(env: Environment, quiet = false): Promise<RunningServer> {
  let setupLink: string | undefined
  let ready: (url: string) => void = () => {}
  const url = new Promise<string>(resolve => (ready = resolve))
  const program = startProgram('server', [entries.server], {
    env: { ...serverEnvironment, ...env },
    quiet,
    onLine: line => {
      const link = /^set-up link: (\S+)$/.exec(line)?.[1]
      if (link !== undefined) setupLink = link
      const address = /^ready (\S+)$/.exec(line)?.[1]
      if (address !== undefined) ready(address)
    },
  })
  const first = await Promise.race([url, program.exited])
  if (typeof first !== 'string') throw new Error('The server ended before it was ready.')
  return Object.assign(program, { url: first, setupLink })
}

/** Enrols an agent for this machine unless its state folder is enrolled already. */
export async function enrolAgent(server: { url: string; env: Environment }, stateDir: string, name?: string) {
  if (existsSync(stateDir)) {
    const status = JSON.parse(
      await runProgram([entries.agent, 'status', '--json', '--state-dir', stateDir], {}),
    )
    if (status.enrolled) return
  }
  const token = await runProgram([entries.admin, 'create-enrolment'], server.env)
  const argv = [entries.agent, 'enrol', '--server', server.url, '--token', token, '--state-dir', stateDir]
  await runProgram(name === undefined ? argv : [...argv, '--name', name], {})
}

/** Starts an enrolled agent on the restic that the set-up found. `through`: a program and arguments that start it. */
export async function startAgentProgram(
  name: string,
  stateDir: string,
  { env = {}, quiet = false, through = [] }: Partial<Omit<StartOptions, 'onLine'>> = {},
): Promise<Program> {
  const restic = await ensureRestic()
  return startProgram(name, [...agentFlags, entries.agent, 'run', '--state-dir', stateDir], {
    env: { RM_RESTIC: restic.path, ...agentEnvironment(stateDir), ...env },
    quiet,
    through,
  })
}

/**
 * Calls `stop` when npm, or the shell between npm and us, is gone. npm hands SIGTERM to its shell, and not every shell
 * hands it on: without this a killed `npm start` would leave the programs running.
 */
export function stopWithNpm(stop: () => void) {
  if (process.env['npm_lifecycle_event'] === undefined) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop()
  }, 500)
  watch.unref()
}

/** A throw-away folder below the system's temporary one. Other users may pass through it: the database of a root runs as one. */
export async function makeThrowAway(prefix: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), prefix))
  await chmod(folder, 0o711)
  return folder
}

/** An agent of a throw-away folder may keep repositories anywhere: its own policy file in `folder` says so. */
export async function policyOfThrowAway(folder: string): Promise<Environment> {
  const file = path.join(folder, 'policy.json')
  const fresh = `${file}.${randomUUID()}` // several agents of one folder may start at once
  await writeFile(fresh, JSON.stringify({ repositories: ['**'] }))
  await chmod(fresh, 0o644)
  await rename(fresh, file)
  return { RM_POLICY_FILE: file }
}

/** Removes a folder in which a server kept its data in `server`, with the database that may lie elsewhere behind a link. */
export async function removeThrowAway(folder: string): Promise<void> {
  const database = path.dirname(await realpath(path.join(folder, 'server', 'postgres')).catch(() => folder))
  if (/^database-[0-9a-f]{12}$/.test(path.basename(database)))
    await rm(database, { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
}
