// What the embedded database promises: it starts wherever the server may run, survives its server, and has one owner.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { until } from '@restic-manager/testkit/until'
import { DataDirInUse, startEmbedded, urlOfRunning } from './embedded.ts'
import { connect } from './open.ts'
import { readPostmaster } from './postmaster.ts'

const settings = { fsync: 'off' }
const isRoot = process.getuid?.() === 0
const nobody = 65_534
let folder: string
const children: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-embedded-')
  await chmod(folder, 0o711)
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function note(url: string, text?: string) {
  const sql = connect(url, { max: 1 })
  try {
    await sql`create table if not exists notes (text text)`
    if (text !== undefined) await sql`insert into notes values (${text})`
    return (await sql`select text from notes order by text`).map(row => row['text'])
  } finally {
    await sql.end()
  }
}

/** A process of its own that owns an embedded database until it is told to stop, or killed. */
async function ownElsewhere(dataDir: string, { uid }: { uid?: number } = {}) {
  const script = `
    import { startEmbedded } from ${JSON.stringify(fileURLToPath(new URL('embedded.ts', import.meta.url)))}
    const database = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, role: 'server', settings: { fsync: 'off' } })
    process.on('SIGTERM', async () => { await database.stop(); process.exit(0) })
    setInterval(() => {}, 1000)
    console.log(database.url)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: nodeEnvironment,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  children.push(child)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => (said += text))
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  createInterface({ input: child.stdout }).once('line', resolve)
  child.once('exit', code => reject(new Error(`ended with ${code}: ${said}`)))
  return { child, url: await promise }
}

/** Whether a process still runs. One that has ended and waits to be reaped does not. */
async function isAlive(pid = 0) {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return /^\d+ \(.*\) [^ZX]/.test(state)
}

test('it starts fresh, stops, and starts again with everything in it', async () => {
  const dataDir = join(folder, 'fresh')
  const first = await startEmbedded({ dataDir, role: 'server', settings })
  expect(await note(first.url, 'one')).toEqual(['one'])
  const sockets = new URL(first.url).searchParams.get('host') ?? ''
  expect((await stat(sockets)).mode & 0o777).toBe(0o700)
  expect((await stat(join(dataDir, 'database-password'))).mode & 0o777).toBe(0o600)
  const sql = connect(first.url, { max: 1 })
  expect(await sql`show listen_addresses`).toEqual([{ listen_addresses: '' }])
  await sql.end()
  await first.stop()
  await expect(stat(sockets)).rejects.toThrow('ENOENT')

  const second = await startEmbedded({ dataDir, role: 'server', settings })
  expect(await note(second.url, 'two')).toEqual(['one', 'two'])
  await second.stop()
})

test('the database of a killed server is stopped in order and started again, its data intact', async () => {
  const dataDir = join(folder, 'killed')
  const { child, url } = await ownElsewhere(dataDir)
  expect(await note(url, 'before the kill')).toEqual(['before the kill'])
  const left = await readPostmaster(join(dataDir, 'postgres'))
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await isAlive(left?.pid)).toBe(true)

  const next = await startEmbedded({ dataDir, role: 'server', settings })
  expect(await isAlive(left?.pid)).toBe(false)
  await expect(stat(left?.sockets ?? '')).rejects.toThrow('ENOENT')
  expect(await note(next.url)).toEqual(['before the kill'])
  await next.stop()
})

test('two servers never share a data directory: the second says who is there, and the first does not notice', async () => {
  const dataDir = join(folder, 'twice')
  const { child, url } = await ownElsewhere(dataDir)
  const second = startEmbedded({ dataDir, role: 'server', settings })
  await expect(second).rejects.toThrow(DataDirInUse)
  await expect(second).rejects.toThrow(`(pid ${child.pid}) uses the data directory ${dataDir}`)
  expect(await note(url, 'still here')).toEqual(['still here'])
  expect(await urlOfRunning(dataDir)).toBe(url)
})

test('of many that start at once on one data directory exactly one gets it', async () => {
  const dataDir = join(folder, 'crowd')
  const tries = await Promise.allSettled(Array.from({ length: 4 }, () => ownElsewhere(dataDir)))
  const won = tries.filter(({ status }) => status === 'fulfilled')
  expect(won).toHaveLength(1)
})

test('whoever waits for the owner gets the database when it leaves', async () => {
  const dataDir = join(folder, 'wait')
  const { child } = await ownElsewhere(dataDir)
  const waiting = startEmbedded({ dataDir, role: 'server', settings, waitMs: 30_000 })
  child.kill('SIGTERM')
  const database = await waiting
  expect(await note(database.url, 'one')).toEqual(['one'])
  await database.stop()
})

test('a pid file whose number now belongs to another program hurts nobody', async () => {
  const dataDir = join(folder, 'recycled')
  const first = await startEmbedded({ dataDir, role: 'server', settings })
  await note(first.url, 'one')
  const pidFile = join(dataDir, 'postgres/postmaster.pid')
  const content = await readFile(pidFile, 'utf8')
  await first.stop()
  const bystander = spawn('sleep', ['60'])
  children.push(bystander)
  await writeFile(pidFile, content.replace(/^\d+/, String(bystander.pid)))
  const second = await startEmbedded({ dataDir, role: 'server', settings })
  expect(await note(second.url)).toEqual(['one'])
  expect(bystander.exitCode).toBeNull()
  await second.stop()
})

test('a database that dies by itself is started again at the same address', async () => {
  const dataDir = join(folder, 'dies')
  const database = await startEmbedded({ dataDir, role: 'server', settings })
  await note(database.url, 'one')
  const before = await readPostmaster(join(dataDir, 'postgres'))
  process.kill(before?.pid ?? 0, 'SIGQUIT')
  expect(
    await until(
      () => note(database.url),
      notes => notes.length === 1,
    ),
  ).toEqual(['one'])
  expect((await readPostmaster(join(dataDir, 'postgres')))?.pid).not.toBe(before?.pid)
  await database.stop()
})

test('a data directory of another major version is refused with a sentence', async () => {
  const dataDir = join(folder, 'old')
  await mkdir(join(dataDir, 'postgres'), { recursive: true })
  await writeFile(join(dataDir, 'postgres/PG_VERSION'), '15\n')
  await writeFile(join(dataDir, 'database-password'), 'x')
  await expect(startEmbedded({ dataDir, role: 'server', settings })).rejects.toThrow(
    /made by PostgreSQL 15, and this version brings PostgreSQL 18.*admin command backup/,
  )
})

test('a start that was cut short leaves nothing half made behind', async () => {
  const dataDir = join(folder, 'half')
  await mkdir(join(dataDir, 'postgres.new/data/base'), { recursive: true })
  await chmod(dataDir, 0o711)
  const database = await startEmbedded({ dataDir, role: 'server', settings })
  expect(await note(database.url, 'one')).toEqual(['one'])
  await database.stop()
  await expect(stat(join(dataDir, 'postgres.new'))).rejects.toThrow('ENOENT')
})

test.skipIf(!isRoot)(
  'under a folder closed to others, root keeps database and programs beside it',
  async () => {
    const closed = join(folder, 'closed')
    await mkdir(closed, { mode: 0o700 })
    const aside = join(folder, 'aside')
    const options = { dataDir: join(closed, 'data'), role: 'server', settings, aside } as const
    const first = await startEmbedded(options)
    expect(await note(first.url, 'one')).toEqual(['one'])
    await first.stop()
    const second = await startEmbedded(options)
    expect(await note(second.url)).toEqual(['one'])
    expect(await urlOfRunning(options.dataDir)).toBe(second.url)
    await second.stop()
  },
)

test.skipIf(!isRoot)('an ordinary user runs it as itself', async () => {
  const home = join(folder, 'home')
  await mkdir(home, { mode: 0o700 })
  await chown(home, nobody, nobody)
  const { url } = await ownElsewhere(join(home, 'data'), { uid: nobody })
  expect(await note(url, 'one')).toEqual(['one'])
  expect((await stat(join(home, 'data/postgres'))).uid).toBe(nobody)
})
