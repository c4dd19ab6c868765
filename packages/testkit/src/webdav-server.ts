// A real WebDAV server on loopback, which is rclone's own: something far away that only rclone can reach.
import { execa } from 'execa'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { portIn } from './port-in.ts'

export type WebdavServer = AsyncDisposable & {
  readonly port: number
  /** What it serves, on this machine. */
  readonly dir: string
  /** The section of an rclone configuration that reaches it, with the password as rclone obscures it. */
  section(password?: string): Promise<string>
}

const user = 'noor'

/** Starts rclone's WebDAV server on a free port with an empty folder, which goes when it is disposed of. `path`: rclone. */
export async function webdavServer({
  path,
  password,
}: {
  path: string
  password: string
}): Promise<WebdavServer> {
  const folder = await mkdtemp(join(tmpdir(), 'webdav-server-'))
  const dir = join(folder, 'served')
  await mkdir(dir)
  const env = { RCLONE_CONFIG: '/dev/null', HOME: folder, RCLONE_USER: user, RCLONE_PASS: password }
  // A test may change the folder behind its back: nothing of it is remembered.
  const flags = ['--addr', '127.0.0.1:0', '--dir-cache-time', '0s']
  const server = execa(path, ['serve', 'webdav', ...flags, dir], {
    env,
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
  })
  const port = await portIn(server.all, /http:\/\/127\.0\.0\.1:(\d+)/)
  return {
    port,
    dir,
    async section(known = password) {
      const { stdout } = await execa(path, ['obscure', '-'], { input: known, env, extendEnv: false })
      return [
        '[vault]',
        'type = webdav',
        `url = http://127.0.0.1:${port}`,
        'vendor = other',
        `user = ${user}`,
        `pass = ${stdout.trim()}`,
      ].join('\n')
    },
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      await server
      await rm(folder, { recursive: true })
    },
  }
}
