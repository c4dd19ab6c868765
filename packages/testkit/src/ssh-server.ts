// A real SSH server on loopback, for repositories that are reached by SFTP: one sshd for each connection, as inetd does it.
import { execa } from 'execa'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** What the client knows of the server's key: the right one, none at all, or another one. */
export type KnownKey = 'right' | 'none' | 'changed'

export type SshServer = AsyncDisposable & {
  readonly port: number
  /** Where the repositories lie on this machine. */
  readonly dir: string
  /** A folder with an `ssh` that has the keys of this server and reads nothing of the user's own. */
  readonly programs: string
  url(repository: string): string
  /** Sets what the client knows of the server from now on. */
  know(key: KnownKey): Promise<void>
  /** Whether the server lets the client's key in from now on. */
  letIn(open: boolean): Promise<void>
}

const ssh = '/usr/bin/ssh'

/** Why no SSH server can be run here, with the program from `findTool('sshd')`; undefined when it can. */
export async function complaintAboutSsh(path: string): Promise<string | undefined> {
  if (!existsSync(ssh)) return 'there is no ssh'
  const { username, shell } = userInfo()
  if (/(nologin|false)$/.test(shell ?? '')) return `the account ${username} may not sign in`
  // As root it wants a user and a folder to give its rights away to.
  if (process.getuid?.() === 0) {
    if (!existsSync('/run/sshd')) await mkdir('/run/sshd', { mode: 0o755 })
    if (!(await hasSshdUser()) && (await execa('unshare', ['--mount', 'true'], { reject: false })).failed)
      return 'there is no user sshd, and none can be lent to it'
  }
  const { stdout, stderr } = await execa(path, ['-V'], {
    reject: false,
    stdin: 'ignore',
    env: withLibraries(path),
  })
  return /OpenSSH_/.test(stdout + stderr) ? undefined : `${path} does not start`
}

const hasSshdUser = async () => (await readFile('/etc/passwd', 'utf8')).includes('\nsshd:')

const withLibraries = (path: string) => ({ LD_LIBRARY_PATH: `${path}.lib` })

/**
 * The command line of an sshd. Where root has no user for it to give its rights away to, it sees a list of users of its own with
 * one more in it: nothing of the machine is changed.
 */
async function commandOf(path: string, at: (name: string) => string): Promise<[string, ...string[]]> {
  const plain: [string, ...string[]] = [path, '-i', '-f', at('sshd_config')]
  if (process.getuid?.() !== 0 || (await hasSshdUser())) return plain
  const users = (await readFile('/etc/passwd', 'utf8')).trimEnd()
  await writeFile(at('passwd'), `${users}\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n`)
  const lend = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'
  return ['unshare', '--mount', 'sh', '-c', lend, 'sh', at('passwd'), ...plain]
}

/** Starts an SSH server on a free port, with keys and an empty folder of its own, which go when it is disposed of. */
export async function sshServer({ path }: { path: string }): Promise<SshServer> {
  const folder = await mkdtemp(join(tmpdir(), 'ssh-server-'))
  const at = (name: string) => join(folder, name)
  for (const name of ['repositories', 'programs']) await mkdir(at(name))
  for (const name of ['host', 'other', 'client'])
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)])
  await writeFile(at('sshd_config'), serverConfig(at))
  await writeFile(at('ssh_config'), clientConfig(at))
  await writeFile(at('programs/ssh'), `#!/bin/sh\nexec ${ssh} -F '${at('ssh_config')}' "$@"\n`)
  await chmod(at('programs/ssh'), 0o755)

  const [program, ...args] = await commandOf(path, at)
  const running = new Set<ReturnType<typeof spawn>>()
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => {
    const env = { ...process.env, ...withLibraries(path) }
    const child = spawn(program, args, { stdio: [socket, socket, 'ignore'], env })
    running.add(child)
    child.once('exit', () => running.delete(child))
    // The child has the connection now. Ours would hold it open after the child has ended.
    child.once('spawn', () => socket.destroy())
  })
  await new Promise<void>(done => void server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo

  const know = async (known: KnownKey) => {
    const key =
      known === 'none' ? '' : await readFile(at(known === 'right' ? 'host.pub' : 'other.pub'), 'utf8')
    await writeFile(at('known_hosts'), key === '' ? '' : `[127.0.0.1]:${port} ${key}`)
  }
  const letIn = async (open: boolean) =>
    writeFile(at('authorized_keys'), open ? await readFile(at('client.pub')) : '')
  await know('right')
  await letIn(true)
  return {
    port,
    dir: at('repositories'),
    programs: at('programs'),
    url: repository =>
      `sftp://${userInfo().username}@127.0.0.1:${port}/${join(at('repositories'), repository)}`,
    know,
    letIn,
    async [Symbol.asyncDispose]() {
      await new Promise<void>(done => void server.close(() => done()))
      for (const child of running) child.kill('SIGTERM')
      await rm(folder, { recursive: true })
    },
  }
}

const serverConfig = (at: (name: string) => string) => `HostKey ${at('host')}
AuthorizedKeysFile ${at('authorized_keys')}
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
PidFile none
Subsystem sftp internal-sftp
`

const clientConfig = (at: (name: string) => string) => `IdentityFile ${at('client')}
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile ${at('known_hosts')}
GlobalKnownHostsFile /dev/null
`
