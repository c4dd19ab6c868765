// Programs of the host around a backup, as far as its own policy allows: never a shell for anything we compose.
import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, posix, win32 } from 'node:path'
import type { BackupSpec, Hook } from '@restic-manager/contract/command'
import type { LogStream } from '@restic-manager/contract/log'
import { complaintsByPolicy } from '@restic-manager/contract/policy-rule'
import type { HookCall } from './jobs/context.ts'
import { findHookProgram, type HostPolicy } from './policy.ts'
import { runProgram } from './programs.ts'

/** What it takes to run a hook. `hookShell`: what runs the text of a script, an absolute path. */
export type HookDesk = {
  policy: HostPolicy
  hookShell: string | undefined
  /** 0700: scripts lie there while they run. Arguments could be read by every user of the host. */
  folder: string
  secrets: readonly string[]
  onLine(line: { stream: LogStream; payload: string }): void
}

const MINUTE_MS = 60_000
const USUAL_TIMEOUT_MINUTES = 60
const POWERSHELL = 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe'
const powershellFlags = ['-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-File']
/** Windows PowerShell takes a script without it for one in the old code page. */
const BYTE_ORDER_MARK = '\u{FEFF}'

/** Why one of the programs around a backup must not run, as a sentence; undefined when both may. */
export function complaintAboutPrograms(
  policy: HostPolicy,
  hooks: Pick<BackupSpec, 'preHook' | 'postHook'>,
): string | undefined {
  if (hooks.preHook === undefined && hooks.postHook === undefined) return undefined
  const [forbidden] = complaintsByPolicy(policy, hooks)
  if (forbidden !== undefined) return forbidden.message
  for (const name of [hooks.preHook?.name, hooks.postHook?.name]) {
    const found = name === undefined ? undefined : findHookProgram(policy, name)
    if (found !== undefined && 'complaint' in found) return found.complaint
  }
  return undefined
}

/** Runs a hook to its end. Undefined when it succeeded, else why not, as a sentence. What it prints goes to the log. */
export async function runHook(desk: HookDesk, hook: Hook, call: HookCall): Promise<string | undefined> {
  const complaint = complaintAboutPrograms(desk.policy, { preHook: hook })
  if (complaint !== undefined) return complaint
  const program = hook.script === undefined ? programOf(desk, hook) : layOut(desk, hook.script)
  if ('complaint' in program) return program.complaint
  try {
    const limitMs = (hook.timeoutMinutes ?? USUAL_TIMEOUT_MINUTES) * MINUTE_MS
    const failure = await runProgram(program.argv, {
      env: { ...baseOf(process.platform, desk.folder), ...call.environment },
      cwd: desk.folder,
      signal: call.signal,
      timeoutMs: Math.min(limitMs, call.atMostMs ?? Infinity),
      secrets: desk.secrets,
      onSpawn: call.onSpawn ?? (() => {}),
      onLine: (stream, line) => desk.onLine({ stream, payload: `${call.name}: ${line}` }),
    })
    const name = hook.name === undefined ? call.name : `${call.name} ${hook.name}`
    return failure === undefined ? undefined : `The ${name} ${failure}`
  } finally {
    if (program.script !== undefined) rmSync(program.script, { force: true })
  }
}

/** How a program in the folder of hooks is run. Windows needs to be told what a script is run by. */
export function argvOfProgram(path: string, platform: NodeJS.Platform): string[] {
  const isScript = platform === 'win32' && win32.extname(path).toLowerCase() === '.ps1'
  return isScript ? [POWERSHELL, ...powershellFlags, path] : [path]
}

/** How the text of a script is run: by which shell, in a file of which ending. A shell that is no absolute path is refused. */
export function shellFor(
  shell: string | undefined,
  platform: NodeJS.Platform,
): { ending: string; argv(file: string): string[] } | undefined {
  const { isAbsolute, basename } = platform === 'win32' ? win32 : posix
  const path = shell ?? (platform === 'win32' ? POWERSHELL : '/bin/sh')
  if (!isAbsolute(path)) return undefined
  const name = basename(path)
    .toLowerCase()
    .replace(/\.exe$/, '')
  if (name === 'powershell' || name === 'pwsh')
    return { ending: '.ps1', argv: file => [path, ...powershellFlags, file] }
  if (name === 'cmd') return { ending: '.cmd', argv: file => [path, '/d', '/c', file] }
  return { ending: '', argv: file => [path, file] }
}

/** `script`: the file that holds its text. */
type Program = { argv: string[]; script?: string }

function layOut({ folder, hookShell }: HookDesk, text: string): Program | { complaint: string } {
  const shell = shellFor(hookShell, process.platform)
  if (shell === undefined)
    return { complaint: `The shell for hooks must be an absolute path. It is ${JSON.stringify(hookShell)}.` }
  const path = join(folder, `hook-${randomUUID()}${shell.ending}`)
  const mark = shell.ending === '.ps1' ? BYTE_ORDER_MARK : ''
  try {
    writeFileSync(path, mark + text, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    return { complaint: `The script could not be written: ${(error as Error).message}.` }
  }
  return { script: path, argv: shell.argv(path) }
}

/** Looked at once more, just before it is run: what has become somebody else's since then does not run. */
function programOf({ policy }: HookDesk, { name = '' }: Hook): Program | { complaint: string } {
  const found = findHookProgram(policy, name)
  return 'complaint' in found ? found : { argv: argvOfProgram(found.path, process.platform) }
}

/** An environment made from nothing. Windows does not open a socket without its root. */
function baseOf(platform: NodeJS.Platform, temp: string): Record<string, string> {
  if (platform === 'win32') {
    const root = 'C:\\Windows'
    return {
      PATH: `${root}\\System32;${root}`,
      SystemRoot: root,
      USERPROFILE: homedir(),
      TEMP: temp,
      TMP: temp,
    }
  }
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH, HOME: homedir(), LANG: 'C.UTF-8', TMPDIR: temp }
}
