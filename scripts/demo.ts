// `npm run demo`: the whole main job, unattended: a server, three agents, real restic backups of real files, by schedule.
import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs, styleText } from 'node:util'
import { newId } from '@restic-manager/contract/ids'
import type { JobView } from '@restic-manager/contract/views'
import { until } from '@restic-manager/testkit/until'
import { changeFiles, demoHosts, makeHostFiles, withoutRootsEyes, type DemoHost } from './demo-hosts.ts'
import { judge, verifyHost, type DemoResult, type Seen } from './demo-verify.ts'
import { planDemo, waitForSlots } from './demo-plan.ts'
import { makeOperator, runToEnd, type Api } from './operator.ts'
import {
  build,
  enrolAgent,
  makeThrowAway,
  policyOfThrowAway,
  removeThrowAway,
  startAgentProgram,
  startServerProgram,
  stopProgram,
  stopWithNpm,
  type Environment,
  type Program,
} from './processes.ts'
import { ensureRestic } from './restic.mjs'

const help = `Usage: npm run demo [-- --once [--json]]

Starts a server and three agents in a throw-away folder, makes a few hundred MB of files, and backs them up with real
restic into three repositories, first by hand, then by schedule. One host has files nobody may read, one also backs up
to a place that does not answer. The dashboard stays open and the hosts go on every minute until Ctrl-C.

  --once       back up by hand and by schedule, verify every host by restoring and comparing bytes, print what was seen, clean up and exit
  --json       with --once: end with one line of JSON
  --folder F   where to work: a folder that is empty or not there yet (default: a temporary one)
  --help       this text

PORT chooses the port (default: a free one).
`

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        folder: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.json && !values.once) throw new Error('--json goes with --once.')
    return values
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`)
    process.exit(2)
  }
}

const flags = readFlags()
/** People read standard error; with --json standard output holds the one line alone. */
const say = (line = '') => void (flags.json ? process.stderr : process.stdout).write(`${line}\n`)
const formatBytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
const bold = (text: string) => styleText('bold', text)

/** Orders a job and waits for its end, telling how far it is. */
async function runAndWatch(api: Api, host: DemoHost, kind: 'init' | 'backup'): Promise<JobView> {
  const on = { hostId: host.hostId, repositoryId: host.repositoryId }
  if (kind === 'init') return runToEnd(api, { ...on, kind, spec: {} })
  let told = 0
  const job = await runToEnd(
    api,
    { ...on, kind, spec: { paths: [host.folder] } },
    ({ status, percentDone }) => {
      const percent = Math.floor((percentDone ?? 0) * 100)
      if (status !== 'running' || percent < told + 25) return
      told = percent
      say(`  ${host.name}: ${percent} %`)
    },
  )
  say(`  ${host.name}: ${describeEnd(job)}`)
  return job
}

function describeEnd(job: JobView) {
  const bytes = job.bytesProcessed === null ? '' : `, ${formatBytes(job.bytesProcessed)} read`
  const warnings = job.warningCount === 0 ? '' : `, ${job.warningCount} warnings`
  return `${job.status}${bytes}${warnings}${job.error === null ? '' : `: ${job.error}`}`
}

/** The folder to work in. One that holds something is refused: everything in it goes at the end. */
async function openFolder(wish: string | undefined): Promise<string> {
  if (wish === undefined) return makeThrowAway('rm-demo-')
  const folder = path.resolve(wish)
  await mkdir(folder, { recursive: true, mode: 0o711 })
  if ((await readdir(folder)).length === 0) return folder
  process.stderr.write(
    `--folder ${folder} is not empty. The demo removes its folder at the end: name an empty one.\n`,
  )
  process.exit(2)
}

async function main() {
  if (flags.help) return void process.stdout.write(help)
  const began = performance.now()
  const folder = await openFolder(flags.folder)
  const programs: Program[] = []
  let cleanedUp = false

  const cleanUp = async () => {
    if (cleanedUp) return
    cleanedUp = true
    for (const program of programs.toReversed()) await stopProgram(program)
    await removeThrowAway(folder)
  }
  let interrupted = false
  const interrupt = () => {
    if (interrupted) return
    interrupted = true
    say('\nStopping …')
    void cleanUp().then(() => process.exit(130))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  stopWithNpm(interrupt)

  try {
    say('Building what has changed …')
    await build()
    const restic = await ensureRestic()

    const dataDir = path.join(folder, 'server')
    const env: Environment = {
      RM_DATA_DIR: dataDir,
      PORT: process.env['PORT'] ?? '0',
      DATABASE_URL: undefined,
      RM_LOG_LEVEL: process.env['RM_LOG_LEVEL'] ?? 'warn',
    }
    say('Starting the server on its own PostgreSQL …')
    const server = await startServerProgram(env)
    programs.push(server)

    const { api, email, password } = await makeOperator(
      { url: server.url, env },
      { email: 'demo@example.net', name: 'Demo', folder },
    )
    if (!flags.once) {
      say(`  Dashboard  ${bold(server.url)}`)
      say(`  Sign in    ${email}  ${password}`)
    }

    say('Enrolling three agents and making their files …')
    const policy = await policyOfThrowAway(folder)
    const hosts: DemoHost[] = []
    for (const each of demoHosts) {
      const host: DemoHost = {
        ...each,
        folder: path.join(folder, 'files', each.name),
        stateDir: path.join(folder, 'agents', each.name),
        repositoryFolder: path.join(folder, 'repositories', each.name),
        hostId: '',
        repositoryId: '',
        password: '',
      }
      await makeHostFiles(host)
      await enrolAgent({ url: server.url, env }, host.stateDir, host.name)
      const asRoot = process.getuid?.() === 0 && host.name === 'nas-lyon'
      programs.push(
        await startAgentProgram(host.name, host.stateDir, {
          env: { RM_LOG_LEVEL: env.RM_LOG_LEVEL, ...policy },
          through: asRoot ? withoutRootsEyes : [],
        }),
      )
      hosts.push(host)
    }
    await until(
      () => api.hosts.list.query({}),
      ({ counts }) => counts.online === hosts.length,
      { what: 'all hosts online' },
    )
    const { rows } = await api.hosts.list.query({})

    for (const host of hosts) {
      host.hostId = rows.find(({ name }) => name === host.name)?.id ?? ''
      const made = await api.repositories.create.mutate({
        requestId: newId(),
        name: `${host.name}-local`,
        url: host.repositoryFolder,
        hostIds: [host.hostId],
      })
      host.repositoryId = made.repositoryId
      host.password = made.password ?? ''
      say(`  ${host.name}: ${host.files} files, ${formatBytes(host.bytes)}, ${host.about}`)
    }

    say('Initialising repositories and backing up …')
    const ended: JobView[] = []
    ended.push(...(await Promise.all(hosts.map(host => runAndWatch(api, host, 'init')))))
    ended.push(...(await Promise.all(hosts.map(host => runAndWatch(api, host, 'backup')))))
    say('Changing files, and letting every host back up by itself at the next full minute …')
    for (const host of hosts) if (host.name.startsWith('web')) await changeFiles(host)
    const plan = await planDemo(api, hosts)
    const last = await waitForSlots(api, plan)
    for (const [index, job] of last.entries()) say(`  ${hosts[index]?.name}: ${describeEnd(job)}`)
    ended.push(...last)

    if (flags.once) {
      ended.push(await plan.failOnce())
      await plan.pause()
      say('Restoring each newest snapshot with plain restic and comparing bytes …')
      const seen: Seen[] = []
      for (const [index, host] of hosts.entries()) {
        const newest = last[index] as JobView
        const { total } = await until(
          () => api.snapshots.list.query({ hostId: host.hostId, limit: 1 }),
          page => page.total >= 2,
          { what: `both snapshots of ${host.name} in the list`, timeoutMs: 60_000 },
        )
        const comparison = await verifyHost(host, newest, restic.path, folder)
        seen.push({ host, last: newest, snapshots: total, comparison })
      }
      await cleanUp()
      const result = judge(seen, ended, Math.round((performance.now() - began) / 100) / 10)
      report(seen, result)
      process.exit(result.ok ? 0 : 1)
    }

    say(`Everything is backed up. Look at ${bold(server.url)}; the hosts go on every minute until Ctrl-C.`)
    for (;;) {
      await new Promise(resolve => setTimeout(resolve, 60_000))
      for (const host of hosts) await changeFiles(host)
    }
  } catch (error) {
    if (interrupted) return
    process.stderr.write(`The demo stopped: ${(error as Error).message}\n`)
    await cleanUp()
    process.exit(1)
  }
}

/** Says what was seen, as a table for people or as one line for programs. */
function report(seen: Seen[], result: DemoResult) {
  for (const { comparison } of seen)
    for (const sentence of comparison.wrong.slice(0, 10)) say(`  ${sentence}`)
  if (flags.json) return void process.stdout.write(`${JSON.stringify(result)}\n`)
  console.table(
    seen.map(({ host, last, snapshots, comparison: { files, unread, wrong } }) => ({
      host: host.name,
      'last backup': last.status,
      snapshots,
      'files equal': files,
      unread,
      wrong: wrong.length,
    })),
  )
  say(
    result.ok
      ? `All of it is true: ${result.snapshots} snapshots, restored and equal, in ${result.seconds} s.`
      : 'Something is not as promised, see above.',
  )
}

await main()
