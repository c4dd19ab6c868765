// A network that loses packets without a word: real interfaces, in a network namespace that the test makes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@restic-manager/runtime/log'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { is, until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { testProgram } from '../../../scripts/test-programs.ts'
import { enrolHost } from './enrol.ts'
import { readEnrolment, saveEnrolment } from './identity.ts'
import { readStatus } from './status.ts'
import { startFarEnd } from './testing-far-end.ts'

const here = '10.213.77.1'
const there = '10.213.77.2'

const ip = (words: string) => execa('ip', words.split(' '), { reject: false })

/** A namespace with one wire to it; undefined where only root could make one. */
async function makeNamespace() {
  const name = `rm${process.pid}`
  const near = `rmn${process.pid}`
  const far = `rmf${process.pid}`
  const remove = async () => {
    await ip(`link del ${near}`)
    await ip(`netns del ${name}`)
  }
  for (const words of [
    `netns add ${name}`,
    `link add ${near} type veth peer name ${far}`,
    `link set ${far} netns ${name}`,
    `addr add ${here}/30 dev ${near}`,
    `link set ${near} up`,
    `-n ${name} addr add ${there}/30 dev ${far}`,
    `-n ${name} link set ${far} up`,
    `-n ${name} link set lo up`,
  ]) {
    if ((await ip(words)).failed) {
      await remove()
      return undefined
    }
  }
  return { name, near, [Symbol.asyncDispose]: remove }
}

/** Lets what comes to `here` go on to a port on loopback. */
async function relayTo(port: number) {
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = connect({ host: '127.0.0.1', port })
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}))
    near.pipe(far).pipe(near)
  })
  server.listen(0, here)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

test('an agent whose packets vanish, both ways or on the way back only, notices and is back when they arrive again (row 2)', async ({
  skip,
}) => {
  const made = await makeNamespace()
  if (made === undefined) skip('a network namespace can only be made by root')
  await using network = made as NonNullable<typeof made>
  await using end = await startFarEnd()
  using relay = await relayTo(end.port)
  const stateDir = mkdtempSync(join(tmpdir(), 'rm-netns-'))
  await enrolHost({ server: end.url, token: end.token, stateDir, allowPlainHttp: false })
  const enrolment = readEnrolment(stateDir)
  if (enrolment === undefined) throw new Error('it was just enrolled')
  saveEnrolment(stateDir, { ...enrolment, serverUrl: `http://${here}:${relay.port}`, allowPlainHttp: true })
  const timing = { ping: 300, pong: 1_000, answer: 1_000, handshake: 1_000, backoffBase: 20, backoffCap: 200 }
  const program = [process.execPath, await testProgram('agent'), 'run', '--state-dir', stateDir]
  const agent = spawn('ip', ['netns', 'exec', network.name, ...program], {
    env: {
      ...nodeEnvironment,
      ...{ RM_TIMING: JSON.stringify(timing), RM_LOG_LEVEL: 'silent' },
    },
    stdio: 'ignore',
  })
  const exited = once(agent, 'exit')
  const link = () => readStatus({ stateDir, policyFile: '' }, createLog({ level: 'silent' })).link?.state
  try {
    const harms = [
      { begin: `link set ${network.near} down`, over: [`link set ${network.near} up`] },
      {
        // What is sent to an address that nobody has arrives nowhere; the other way is as before.
        begin: `neigh replace ${there} lladdr 02:00:00:00:00:99 dev ${network.near} nud permanent`,
        over: [`neigh del ${there} dev ${network.near}`],
      },
    ]
    for (const [at, harm] of harms.entries()) {
      await until(() => end.memory.hellos.length > at && link() === 'connected')
      expect((await ip(harm.begin)).stderr).toBe('')
      await until(link, is('connecting'))
      for (const words of harm.over) expect((await ip(words)).stderr).toBe('')
    }
    await until(() => end.memory.hellos.length > harms.length && link() === 'connected')
  } finally {
    agent.kill('SIGTERM')
    await exited
    rmSync(stateDir, { recursive: true, force: true })
  }
})
