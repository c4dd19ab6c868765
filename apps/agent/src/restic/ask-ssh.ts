// Asks ssh why it did not get through: restic ends before it has read all that its ssh said.
import { execa } from 'execa'

const DEADLINE_MS = 15_000
const MAX_LINES = 40

type SshTarget = { host: string; user?: string; port?: string }

/** Where an SFTP address leads, read as restic reads it. */
export function sshTargetOf(url: string): SshTarget | undefined {
  const [, user, host, port] =
    /^sftp:\/\/(?:([^/]*)@)?(\[[^\]/]+\]|[^/:@]+)(?::(\d+))?\//.exec(url) ??
    /^sftp:(?:([^/:]*)@)?([^/:@]+):/.exec(url) ??
    []
  if (host === undefined) return undefined
  return {
    host: host.replace(/^\[|\]$/g, ''),
    ...(user === undefined ? {} : { user: user.includes('%') ? decodeURIComponent(user) : user }),
    ...(port === undefined ? {} : { port }),
  }
}

/** Whether restic's words tell that ssh failed without telling why. */
export const lacksWordsOfSsh = (words: string): boolean =>
  /sftp session|ssh command exited/.test(words) &&
  !/^subprocess ssh: (?!Warning: Permanently added)/m.test(words)

/** What ssh says when it goes the same way, as restic would have passed it on. Empty when it gets through. Never rejects. */
export async function askSsh(
  url: string,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<string[]> {
  const target = sshTargetOf(url)
  if (target === undefined) return []
  const args = [
    '-oBatchMode=yes',
    '-oConnectTimeout=10',
    ...(target.port === undefined ? [] : ['-p', target.port]),
    ...(target.user === undefined ? [] : ['-l', target.user]),
    '-s',
    '--',
    target.host,
    'sftp',
  ]
  const { exitCode, stderr, code } = await execa('ssh', args, {
    env,
    extendEnv: false,
    stdin: 'ignore',
    stdout: 'ignore',
    reject: false,
    timeout: DEADLINE_MS,
    cancelSignal: signal,
    maxBuffer: 64 * 1024,
    detached: true, // no terminal to ask at
  })
  if (exitCode === 0) return []
  if (code === 'ENOENT') return ['subprocess ssh: executable file not found']
  return (stderr ?? '')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .slice(-MAX_LINES)
    .map(line => `subprocess ssh: ${line}`)
}
