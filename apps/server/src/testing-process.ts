// For tests only: the server's real program behind a proxy, so that it can be killed and started again at one address.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { testProgram } from '../../../scripts/test-programs.ts'

/** Starts the program with `env` and nothing else of ours, and waits until it is ready. */
export async function spawnServer(env: Record<string, string>) {
  const program = await testProgram('server')
  let child: ChildProcess
  let said = ''
  let printed = ''

  async function begin(): Promise<number> {
    child = spawn(process.execPath, [program], {
      env: { ...nodeEnvironment, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', line => {
        printed += `${line}\n`
        const port = /^ready https?:\/\/.*:(\d+)$/.exec(line)?.[1]
        if (port !== undefined) resolve(Number(port))
      })
    child.once('exit', code =>
      reject(new Error(`The server ended with ${code} before it was ready: ${said}`)),
    )
    return promise
  }

  async function end(signal: NodeJS.Signals) {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  const proxy = await startTcpProxy({ port: await begin() })
  return {
    url: `http://127.0.0.1:${proxy.port}`,
    port: proxy.port,
    dropSockets: () => proxy.dropAll(),
    listeners: () => 0,
    turnedAway: () => ({}),
    pid: () => child.pid,
    log: () => said,
    written: () => said,
    printed: () => printed,
    async stop() {
      await end('SIGTERM')
      await proxy[Symbol.asyncDispose]()
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM')
      proxy.retarget({ port: await begin() })
    },
  }
}
