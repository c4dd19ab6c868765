// Asks ssh or rclone why it did not get through: restic ends before it has read all that its helper said.
import { backendOf } from '@restic-manager/contract/backends'

const DEADLINE_MS = 15_000
const MAX_LINES = 40

type SshTarget = { host: string; user?: string; port?: string }

/** Where an SFTP address leads, read as restic reads it. */
export function sshTargetOf(url: string): SshTarget | undefined {
  const address = /^sftp:\/\/(?:([^/]*)@)?(\[[^\]/]+\]|[^/:@]+)(?::(\d+))?\//.exec(url)
  const [, user, host, port] = address ?? /^sftp:(?:([^/:]*)@)?([^/:@]+):/.exec(url) ?? []
  if (host === undefined) return undefined
  return {
    host: host.replace(/^\[|\]$/g, ''),
    ...(user === undefined ? {} : { user: address === null ? user : decoded(user) }),
    ...(port === undefined ? {} : { port }),
  }
}

/** As it is where it cannot be read: restic does not get through either, and says so. */
function decoded(user: string): string {
  try {
    return decodeURIComponent(user)
  } catch {
    return user
  }
}

/** Whether restic's words tell that its helper failed without telling why. */
export function lacksWordsOfHelper(words: string): boolean {
  if (/sftp session|ssh command exited/.test(words))
    return !/^subprocess ssh: (?!Warning: Permanently added)/m.test(words)
  return /error talking HTTP to rclone/.test(words) && !/^rclone: /m.test(words)
}

/** What the helper says when it goes the same way, as restic would have passed it on. Empty when it gets through. Never rejects. */
export async function askHelper(
  url: string,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<string[]> {
  const helper = helperFor(url)
  if (helper === undefined) return []
  const { execa } = await import('execa')
  const { exitCode, stderr, code } = await execa(helper.program, helper.args, {
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
  if (code === 'ENOENT') return [`${helper.label}: executable file not found`]
  return (stderr ?? '')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .slice(-MAX_LINES)
    .map(line => `${helper.label}: ${line}`)
}

function helperFor(url: string): { program: string; label: string; args: string[] } | undefined {
  if (backendOf(url) === 'rclone') {
    const once = ['--retries', '1', '--low-level-retries', '1', '--contimeout', '10s', '--timeout', '10s']
    return { program: 'rclone', label: 'rclone', args: ['lsd', ...once, '--', url.slice('rclone:'.length)] }
  }
  const target = sshTargetOf(url)
  if (target === undefined) return undefined
  const { host, user, port } = target
  return {
    program: 'ssh',
    label: 'subprocess ssh',
    args: [
      '-oBatchMode=yes',
      '-oConnectTimeout=10',
      ...(port === undefined ? [] : ['-p', port]),
      ...(user === undefined ? [] : ['-l', user]),
      '-s',
      '--',
      host,
      'sftp',
    ],
  }
}
