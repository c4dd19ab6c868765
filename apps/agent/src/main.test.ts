// The program as a person meets it: commands, flags, exit codes, and what is on disk afterwards.
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileCache } from '@restic-manager/testkit/compile-cache'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { testProgram } from '../../../scripts/test-programs.ts'
import { startAgent } from './testing.ts'
import { startFarEnd } from './testing-far-end.ts'
import { testFolder } from './testing-folder.ts'

const folder = () => testFolder('rm-cli-')
const agent = async (words: string[], env: Record<string, string> = {}) =>
  execa(process.execPath, [await testProgram('agent'), ...words], {
    env: { NODE_COMPILE_CACHE: compileCache, ...env },
    reject: false,
  })

test.for([
  { words: ['run', '--foo'], says: /no flag --foo here.*run takes --state-dir DIR/ },
  { words: ['dance'], says: /no command "dance".*enrol, run, status, check-policy, rotate-key, version/ },
  { words: ['enrol', '--server', 'http://127.0.0.1:9'], says: /--token TOKEN is missing/ },
  { words: ['status', '--state-dir'], says: /--state-dir needs a value/ },
  { words: [], says: /Say what to do/ },
])('a wrong command line ($words) is named, with what is accepted', async ({ words, says }) => {
  const { exitCode, stderr } = await agent(words)
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(says)
})

test('a wrong environment stops the agent before anything starts', async () => {
  const { exitCode, stderr } = await agent(['run', '--state-dir', folder()], { RM_LOG_LEVEL: 'loud' })
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/RM_LOG_LEVEL is "loud"; it must be one of/)
})

test('enrolling without encryption to somewhere else is refused unless it is asked for', async () => {
  const token = `rmj_${'a'.repeat(43)}`
  const { exitCode, stderr } = await agent(['enrol', '--server', 'http://192.0.2.1:1', '--token', token])
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/not encrypted.*--allow-plain-http/)
})

test('a folder that holds other things is not taken over', async () => {
  const dir = folder()
  writeFileSync(join(dir, 'letter.txt'), 'dear')
  const token = `rmj_${'a'.repeat(43)}`
  const enrol = ['enrol', '--server', 'http://127.0.0.1:9', '--token', token, '--state-dir', dir]
  chmodSync(dir, 0o755)
  const { exitCode, stderr } = await agent(enrol)
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`${dir} holds other things`)])
  expect(statSync(dir).mode & 0o777).toBe(0o755)
})

test('a state directory that cannot be used is named in a sentence, without a stack', async () => {
  const file = join(folder(), 'file')
  writeFileSync(file, '')
  const damaged = folder()
  writeFileSync(join(damaged, 'enrolment.json'), '{"serverUrl":')
  for (const dir of [join(file, 'state'), damaged])
    for (const words of [['run'], ['status']]) {
      const { exitCode, stderr } = await agent([...words, '--state-dir', dir])
      expect([exitCode, stderr.split('\n')]).toEqual([
        words[0] === 'status' && dir !== damaged ? 0 : 1,
        expect.any(Array),
      ])
      expect(stderr).not.toContain('    at ')
    }
})

test('a damaged key is named before anything starts', async () => {
  const dir = folder()
  const enrolment = { serverUrl: 'http://127.0.0.1:9', hostId: crypto.randomUUID(), hostName: 'h' }
  writeFileSync(join(dir, 'enrolment.json'), JSON.stringify({ ...enrolment, allowPlainHttp: false }))
  writeFileSync(join(dir, 'key.pem'), 'no key')
  const { exitCode, stderr } = await agent(['run', '--state-dir', dir])
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('key.pem is damaged')])
})

test('enrolling twice is the same host; the key is private; status says how things stand', async () => {
  await using end = await startFarEnd()
  const dir = join(folder(), 'state')
  const enrol = ['enrol', '--server', end.url, '--token', end.token, '--state-dir', dir, '--name', 'alpha']
  // The answer to the first attempt is lost: the repeat finds the same key, and so the same host.
  end.after = () => {
    end.after = () => {}
    throw new Error('the answer never arrives')
  }
  expect((await agent(enrol)).exitCode).toBe(1)
  expect((await agent(enrol)).stdout).toContain(end.memory.hostId)
  expect((await agent(enrol)).stdout).toContain('already')
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  for (const file of readdirSync(dir)) expect(statSync(join(dir, file)).mode & 0o077).toBe(0)
  const elsewhere = await agent([
    'enrol',
    '--server',
    'http://127.0.0.1:9',
    '--token',
    end.token,
    '--state-dir',
    dir,
  ])
  expect([elsewhere.exitCode, elsewhere.stderr]).toEqual([
    1,
    expect.stringContaining(`enrolled with ${end.url} already`),
  ])

  const asleep = JSON.parse((await agent(['status', '--json', '--state-dir', dir])).stdout)
  expect(asleep).toMatchObject({
    enrolled: true,
    agentRuns: false,
    hostId: end.memory.hostId,
    server: end.url,
  })
  const server = { url: end.url, createEnrolment: async () => end.token }
  await using running = await startAgent(server, { process: true, stateDir: dir })
  const { promise: heard, resolve } = Promise.withResolvers<void>()
  end.before = name => void (name === 'agent.heartbeat' && resolve())
  await heard
  expect((await agent(['status', '--state-dir', dir])).stdout).toMatch(/running\n[^]*Link: +connected/)
  const second = await agent(['run', '--state-dir', dir])
  expect([second.exitCode, second.stderr]).toEqual([1, expect.stringContaining(`process ${running.pid()}`)])
})
