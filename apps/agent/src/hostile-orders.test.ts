// A server turned hostile, against an agent whose owner has said what may be done: each rule of the policy file and each way
// around it, with the ledger of a fake restic as the witness of what really ran.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentOrder } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import { JobKind } from '@restic-manager/contract/job'
import { until } from '@restic-manager/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDesk, type Desk } from './testing-desk.ts'
import { backupOrder, configOrder, hourlyBackup, repositoryId } from './testing-orders.ts'

type Run = AgentOrder & { order: 'command.run' }
type Loose = Record<string, unknown>

const folder = mkdtempSync(join(tmpdir(), 'rm-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
/** What a hook or a smuggled program would leave. */
const mark = join(folder, 'somebody-was-here')
const hooks = join(folder, 'hooks')
const allowed = join(folder, 'allowed')
const inside = join(allowed, 'atlas')
const vault = 'rest:https://vault.example.com/atlas/'

for (const each of [hooks, allowed, join(folder, 'outside')]) mkdirSync(each)
symlinkSync(join(folder, 'outside'), join(allowed, 'way-out'))
const addProgram = (path: string, text: string, mode = 0o755) => {
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, mode)
}
addProgram(join(hooks, 'dump'), 'echo dumped')
addProgram(join(hooks, 'open-to-all'), `touch ${mark}`, 0o777)
addProgram(join(folder, 'beside'), `touch ${mark}`)
symlinkSync(join(folder, 'beside'), join(hooks, 'leads-out'))

function writePolicy(name: string, policy: unknown): string {
  const file = join(folder, `${name}.json`)
  writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy))
  chmodSync(file, 0o644)
  return file
}

const strict = {
  hooks: 'listed',
  hooksFolder: hooks,
  repositories: [`${allowed}/**`, 'rest:https://vault.example.com/**', 'azure:backups:**', 'rclone:cloud:**'],
  environment: ['AZURE_ENDPOINT_SUFFIX', 'RESTIC_CACERT'],
  uploadKibps: 500,
  downloadKibps: 700,
}

const backup = (change: Loose = {}): Loose => ({ paths: ['/etc/hostname'], ...change })
const specs: Record<JobKind, Loose> = {
  ...{ init: {}, probe: {}, prune: {}, check: {}, unlock: {}, backup: backup() },
  forget: { retention: { last: 1 }, dryRun: false, targets: [{ hostId: newId(), scheduleId: newId() }] },
}

/** A job with access lent for it alone, which no configuration announced. Its password tells its runs from those of others. */
function lent(access: Loose, kind: JobKind = 'probe', spec: Loose = specs[kind]): Run {
  const order = backupOrder()
  const elevatedAccess = { url: inside, password: order.jobId, ...access }
  return { ...order, kind, spec, elevatedAccess } as unknown as Run
}

function hostWith(policyFile: string) {
  let desk: Desk
  let version = 1
  const runsOf = ({ jobId }: Run) => desk.restic.runs().filter(({ env }) => env['RESTIC_PASSWORD'] === jobId)
  return {
    desk: () => desk,
    async open() {
      desk = await openDesk({ policyFile })
      await until(() => desk.end.memory.acks.length > 0)
    },
    close: () => desk[Symbol.asyncDispose](),
    /** Gives the host a configuration of one repository, and says its version. */
    configure(access: Loose, change: Loose = {}): number {
      version += 1
      const repository = { repositoryId, url: inside, password: 'a password of tests', mayDelete: true }
      const repositories = [{ ...repository, ...access }]
      desk.end.order({ ...configOrder(), version, repositories, ...change } as unknown as AgentOrder)
      return version
    },
    /** The answer to an order that is turned down. Nothing ran for it. */
    async refused(order: Run): Promise<{ reason: string; error: string }> {
      desk.end.order(order)
      const { message } = await until(() =>
        desk.end.memory.facts.find(
          fact => fact.name === 'command.result' && fact.message.jobId === order.jobId,
        ),
      )
      const { accepted, reason, error } = message as unknown as Loose
      expect({ accepted, ran: runsOf(order).length, mark: existsSync(mark) }).toEqual({
        ...{ accepted: false, ran: 0, mark: false },
      })
      return { reason: String(reason), error: String(error) }
    },
    /** The runs of restic for a job that is allowed. */
    async ran(order: Run) {
      desk.end.order(order)
      const { status, error } = await desk.ending(order.jobId)
      expect({ status, error }).toMatchObject({ status: 'succeeded' })
      return runsOf(order)
    },
  }
}

describe('an owner who has said what is allowed', () => {
  const host = hostWith(writePolicy('strict', strict))
  beforeAll(() => host.open())
  afterAll(() => host.close())

  test.each(JobKind.options)(
    'a %s of a repository elsewhere is refused with access lent for it, and runs within what is allowed (row 40)',
    async kind => {
      const { reason, error } = await host.refused(lent({ url: '/etc/cron.d' }, kind))
      expect(reason).toBe('refused_by_policy')
      expect(error).toMatch(/"repositories".*Allowed: .*allowed/)
      const runs = await host.ran(lent({}, kind))
      expect(runs.length).toBeGreaterThan(0)
      expect(new Set(runs.map(({ env }) => env['RESTIC_REPOSITORY']))).toEqual(new Set([inside]))
      for (const { argv } of runs)
        expect(argv).toEqual(expect.arrayContaining(['--limit-upload=500', '--limit-download=700']))
    },
  )

  test.each([
    ['another folder', '/var/lib'],
    ['a folder whose name begins alike', `${allowed}-too`],
    ['a link out of the folder', join(allowed, 'way-out/atlas')],
    ['another server', 'rest:https://evil.example/atlas/'],
    ['a server whose name ends alike', 'rest:https://vault.example.com.evil.example/'],
    ['plain HTTP', 'rest:http://vault.example.com/atlas/'],
    ['another port', 'rest:https://vault.example.com:8443/atlas/'],
    ['a way up, its slash encoded', 'rest:https://vault.example.com/a/..%2fb/'],
    ['another storage', 'sftp:root@127.0.0.1:/etc/cron.d'],
    ['a bucket', 's3:https://evil.example/bucket'],
    ['another remote of the host', 'rclone:private:atlas'],
  ])('%s is no place for a repository (row 40)', async (_, url) => {
    const { reason, error } = await host.refused(lent({ url }))
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining('"repositories"')])
    await host.ran(lent({ url: vault }))
  })

  test('a place that a configuration names is held to the policy as one that is lent (row 40)', async () => {
    const configVersion = host.configure({ url: '/etc/cron.d' })
    expect((await host.refused({ ...backupOrder(), configVersion })).error).toContain('"repositories"')
    expect(
      host
        .desk()
        .restic.runs()
        .map(({ repository }) => repository),
    ).not.toContain('/etc/cron.d')
    await host.ran({ ...backupOrder(), configVersion: host.configure({}) })
  })

  test.each([
    ['a way up', `${allowed}/../../etc`],
    ['an option of ssh', 'sftp:-oProxyCommand=id:/x'],
    ['a program in the host of ssh', 'sftp:a@$(id):/x'],
    ['an option of restic', '--password-command=id'],
    ['an option of rclone', 'rclone:--password-command=id:x'],
    ['a remote made on the way', 'rclone::sftp,ssh="id":x'],
    ['a remote with options of its own', 'rclone:cloud,ssh=id:x'],
    ['a socket', 'rest:http+unix:///run/docker.sock:/x'],
    ['a password in the address', 'rest:https://a:b@vault.example.com/'],
    ['a path that depends on where one stands', 'allowed/atlas'],
  ])('%s is no address at all (row 40)', async (_, url) => {
    const { reason, error } = await host.refused(lent({ url }))
    expect([reason, error]).toEqual(['unsupported', expect.stringContaining('does not understand')])
  })

  test.each([
    ['LD_PRELOAD', '/tmp/x.so'],
    ['PATH', '/tmp'],
    ['RESTIC_PASSWORD_COMMAND', 'id'],
    ['RESTIC_PASSWORD_FILE', '/etc/shadow'],
    ['RESTIC_REPOSITORY', '/etc/cron.d'],
    ['RESTIC_CACHE_DIR', '/etc'],
    ['TMPDIR', '/etc'],
    ['HTTPS_PROXY', 'http://evil.example'],
    ['RCLONE_SFTP_SSH', 'id'],
    ['RESTIC_CACERT', '/dev/zero'],
    ['RESTIC_CACERT', 'ca.pem'],
  ])('%s=%s is not set for restic (row 40)', async (name, value) => {
    const { reason, error } = await host.refused(lent({ url: vault, environment: { [name]: value } }))
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining(name)])
  })

  test('a name of environment that the owner lists reaches restic (row 40)', async () => {
    const [run] = await host.ran(lent({ url: vault, environment: { RESTIC_CACERT: '/etc/hostname' } }))
    expect(run?.env['RESTIC_CACERT']).toBe('/etc/hostname')
  })

  test('a remote of rclone that is a folder of the host counts as that folder (row 40)', async () => {
    const local = (path: string) => lent({ url: `rclone:cloud:${path}`, credential: 'type = local' })
    expect((await host.refused(local('/etc/cron.d'))).error).toContain('"repositories"')
    await host.ran(local(inside))
  })

  test.each([
    ['a script', { script: `touch ${mark}` }, /only the programs in its folder/],
    ['a program that is not there', { name: 'absent' }, /cannot be run/],
    ['a program that others may write', { name: 'open-to-all' }, /written by others/],
    ['a link out of the folder', { name: 'leads-out' }, /leads out of the folder/],
  ])('%s is no hook, before or after a backup (row 40)', async (_, hook, words) => {
    for (const field of ['preHook', 'postHook']) {
      const { reason, error } = await host.refused(lent({}, 'backup', backup({ [field]: hook })))
      expect([reason, error]).toEqual(['refused_by_policy', expect.stringMatching(words)])
    }
  })

  test('a listed program runs as a hook, and not by a shell that the server names (row 40)', async () => {
    const configVersion = host.configure({}, { hookShell: join(folder, 'beside') })
    const order = { ...lent({}, 'backup', backup({ preHook: { name: 'dump' } })), configVersion }
    await host.ran(order)
    await until(() =>
      host
        .desk()
        .log(order.jobId)
        .some(entry => 'payload' in entry && entry.payload === 'pre-hook: dumped'),
    )
    expect(existsSync(mark)).toBe(false)
  })

  test.each<[string, JobKind, Loose]>([
    ['a hook with a path', 'backup', backup({ preHook: { name: '../beside' } })],
    ['a path that is an option', 'backup', { paths: ['--password-command=id'] }],
    ['free flags', 'backup', backup({ flags: ['-o', 'sftp.command=id'] })],
    ['free options', 'backup', backup({ options: { 'rclone.program': 'id' } })],
    ['files from a list', 'backup', backup({ options: { filesFrom: '/etc/shadow' } })],
    ['another cache', 'backup', backup({ options: { cacheDir: '/etc' } })],
    ['a number beyond all use', 'backup', backup({ options: { uploadKibps: 1e300 } })],
    ['a number that is none', 'check', { readPercent: 'all --cache-dir=/etc' }],
    ['a repository to copy from', 'init', { fromRepo: '/etc' }],
  ])('a job with %s is not understood (row 40)', async (_, kind, spec) => {
    const { reason, error } = await host.refused(lent({}, kind, spec))
    expect([reason, error]).toEqual(['unsupported', expect.stringContaining(`"${kind}"`)])
  })

  test('a duration that is none keeps nothing, and lets nothing go (row 40)', async () => {
    const order = lent({}, 'forget', { ...specs.forget, retention: { within: '1d --prune' } })
    host.desk().end.order(order)
    expect((await host.desk().ending(order.jobId)).status).toBe('failed')
    expect(JSON.stringify(host.desk().restic.runs())).not.toContain('--prune')
  })

  test.each(['restore', 'dump', 'mount', 'run', 'constructor'])(
    'a job of the kind %s is not understood (row 40)',
    async kind => {
      const order = { ...backupOrder(), kind, spec: { target: '/etc' } } as unknown as Run
      expect((await host.refused(order)).reason).toBe('unsupported')
    },
  )

  test('a faster wish than the owner allows changes nothing, a slower one counts (row 40)', async () => {
    const asked = async (options: Loose) => {
      const runs = await host.ran(lent({}, 'backup', backup({ options })))
      return runs.find(({ command }) => command === 'backup')?.argv
    }
    const fast = { uploadKibps: 100_000_000, downloadKibps: 100_000_000 }
    expect(await asked(fast)).toEqual(expect.arrayContaining(['--limit-upload=500', '--limit-download=700']))
    expect(await asked({ uploadKibps: 20 })).toContain('--limit-upload=20')
  })

  test('a plan is held to the policy like an order (row 40)', async () => {
    const [fine, script] = [hourlyBackup(), hourlyBackup({ preHook: { script: `touch ${mark}` } })]
    host.desk().end.plan({ version: 1, configVersion: 0, schedules: [fine, script] })
    const ack = await until(() => host.desk().end.memory.planAcks.at(-1))
    expect(ack.rejected).toMatchObject([{ scheduleId: script.id, code: 'hooks_not_allowed' }])
  })
})

describe.each([
  ['a damaged file', '{ "hooks": "inline", '],
  ['a file with a key nobody knows', { repositories: ['**'], hooks: 'inline', restorRoots: [] }],
])('an owner with %s', (name, policy) => {
  const host = hostWith(writePolicy(name.replaceAll(' ', '-'), policy))
  beforeAll(() => host.open())
  afterAll(() => host.close())

  test('nothing runs, and each job says why (row 40)', async () => {
    for (const kind of JobKind.options) {
      const { reason, error } = await host.refused(lent({ url: vault }, kind))
      expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining('is not followed')])
    }
  })
})
