// The fake restic itself: reads its script anew at each start, writes its ledger, does as it is told.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterSignal, answer, refusal } from './fake-restic-answers.ts'
import type { Call } from './fake-restic-call.ts'
import { takeLock } from './fake-restic-locks.ts'
import { hashOf, readLedger, record, runsOf, snapshotsOf } from './fake-restic-ledger.ts'
import {
  flagValues,
  isModern,
  subcommandOf,
  type FakeRun,
  type FakeScript,
  type FakeStep,
} from './fake-restic-script.ts'
import { readTimeline } from './captures.ts'

const [folder = '', ...argv] = process.argv.slice(2)
const script = JSON.parse(readFileSync(join(folder, 'script.json'), 'utf8')) as FakeScript
const env = { ...process.env } as Record<string, string>
const startedAt = new Date()
const run = randomUUID()
const command = subcommandOf(argv)
const repository = flagValues(argv, '-r')[0] ?? flagValues(argv, '--repo')[0] ?? env.RESTIC_REPOSITORY ?? ''
const paths = pathsOf(argv)
let stopping = false

// From here on a signal is handled, so that a run seen in the ledger can be told to stop.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted(signal))
// Real restic is killed by a closed pipe and leaves its lock. Node ignores SIGPIPE: the nearest is SIGKILL.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => die('SIGKILL'))

const before = readLedger(folder)
record(folder, {
  event: 'started',
  run,
  at: startedAt.toISOString(),
  pid: process.pid,
  argv,
  env,
  repository,
  paths,
})

const call: Call = {
  folder,
  run,
  command,
  argv,
  repository,
  password: env.RESTIC_PASSWORD_FILE
    ? readFileSync(env.RESTIC_PASSWORD_FILE, 'utf8').trimEnd()
    : env.RESTIC_PASSWORD,
  hostname: flagValues(argv, '--host')[0] ?? script.hostname ?? hostname(),
  machine: script.hostname ?? hostname(),
  version: script.version ?? '0.18.0',
  script,
  ledger: before,
}
const scripted = scriptedRun()

const isStopping = () => stopping
const refused = refusal(call) ?? (await takeLock(call, isStopping))
// What is there may have changed while it waited for the lock.
await take(refused ?? scripted?.steps ?? answer({ ...call, ledger: readLedger(folder) }), isStopping)
if (!stopping) end(0)

function scriptedRun(): FakeRun | undefined {
  const runs = script.runs?.[command]
  if (!Array.isArray(runs)) return runs
  const earlier = runsOf(before).filter(each => each.command === command).length
  return runs[Math.min(earlier, runs.length - 1)]
}

function interrupted(signal: NodeJS.Signals) {
  record(folder, { event: 'signalled', run, at: new Date().toISOString(), signal })
  if (scripted?.interrupted === 'ignored') return
  if (signal !== 'SIGINT' && !isModern(call.version)) return die(signal)
  if (stopping) return
  stopping = true
  take(scripted?.interrupted ?? afterSignal(call, signal), () => false).then(() => end(130), fail)
}

async function take(steps: readonly FakeStep[], isOver: () => boolean): Promise<void> {
  for (const step of steps) {
    if (isOver()) return
    if ('print' in step)
      write(typeof step.print === 'string' ? step.print : JSON.stringify(step.print), step.to)
    else if ('sleepMs' in step) await sleep(step.sleepMs)
    else if ('wait' in step) await waitAt(step.wait, isOver)
    else if ('flood' in step) await flood(step.flood, isOver)
    else if ('longLine' in step) await writeLongLine(step.longLine)
    else if ('summary' in step) await write(JSON.stringify(save(step.summary)))
    else if ('replay' in step) await replay(step.replay, step.speed ?? Infinity, isOver)
    else if ('exit' in step) end(step.exit)
    else die(step.crash)
  }
}

async function write(line: string, to: 'stdout' | 'stderr' = 'stdout') {
  await put(`${line}\n`, to)
}

/** Resolves when the pipe has taken it all: a reader that stops reading stops the run, not its signal handlers. */
async function put(text: string | Uint8Array, to: 'stdout' | 'stderr') {
  await new Promise(resolve => {
    process[to].write(text, resolve)
  })
}

async function waitAt(gate: string, isOver: () => boolean) {
  record(folder, { event: 'waiting', run, at: new Date().toISOString(), gate })
  while (!existsSync(join(folder, 'gates', gate)) && !isOver()) await sleep(10)
}

async function flood(
  {
    lines,
    linesPerSecond = Infinity,
    text = '',
    to = 'stdout',
  }: Extract<FakeStep, { flood: unknown }>['flood'],
  isOver: () => boolean,
) {
  const began = performance.now()
  for (let line = 0; line < lines && !isOver();) {
    const due = Math.ceil(((performance.now() - began) / 1000) * linesPerSecond) + 1
    const upTo = Math.min(lines, line + 1000, Number.isFinite(due) ? due : lines)
    let batch = ''
    for (; line < upTo; line += 1) batch += `${line} ${text}\n`
    await put(batch, to)
    await sleep(linesPerSecond === Infinity ? 0 : 10)
  }
}

async function writeLongLine({ bytes, to = 'stdout' }: Extract<FakeStep, { longLine: unknown }>['longLine']) {
  const piece = Buffer.alloc(1024 * 1024, 'x')
  for (let left = bytes - 1; left > 0; left -= piece.length) await put(piece.subarray(0, left), to)
  await put('\n', to)
}

async function replay(name: string, speed: number, isOver: () => boolean) {
  let clock = 0
  for (const moment of readTimeline(isModern(call.version) ? '0.18.0' : '0.14.0', name)) {
    if (speed !== Infinity) await sleep(((moment.t - clock) * 1000) / speed)
    clock = moment.t
    if (isOver()) return
    if ('data' in moment) await put(ownSnapshot(moment.data), moment.fd)
    else if (moment.signal !== null) die(moment.signal)
    else end(moment.exit ?? 0)
  }
}

/** A replayed summary names a snapshot that must then be there, under an id of its own. */
function ownSnapshot(data: string): string {
  if (!data.includes('"message_type":"summary"')) return data
  return `${JSON.stringify(save(JSON.parse(data) as Record<string, unknown>))}\n`
}

function save(fields: Record<string, unknown>): Record<string, unknown> {
  const id = hashOf(run)
  const modern = isModern(call.version)
  const counts = {
    files_new: 1,
    files_changed: 0,
    files_unmodified: 0,
    dirs_new: 1,
    dirs_changed: 0,
    dirs_unmodified: 0,
    data_blobs: 1,
    tree_blobs: 1,
    data_added: 1024,
    ...(modern ? { data_added_packed: 512 } : {}),
    total_files_processed: 1,
    total_bytes_processed: 1024,
  }
  const span = { backup_start: startedAt.toISOString(), backup_end: new Date().toISOString() }
  const { message_type: _, snapshot_id: __, total_duration = 0.1, ...over } = fields
  const summary = { ...counts, ...over, ...(modern ? span : {}) }
  const tags = flagValues(argv, '--tag').flatMap(list => list.split(','))
  const parent = snapshotsOf(before, repository).findLast(each => each.hostname === call.hostname)
  record(folder, {
    event: 'saved',
    run,
    at: new Date().toISOString(),
    snapshot: {
      time: startedAt.toISOString(),
      ...(parent ? { parent: parent.id } : {}),
      tree: hashOf(`tree ${run}`),
      paths,
      hostname: call.hostname,
      username: 'root',
      ...(tags.length > 0 ? { tags } : {}),
      ...(modern ? { program_version: `restic ${call.version}`, summary } : {}),
      id,
      short_id: id.slice(0, 8),
    },
  })
  return { message_type: 'summary', ...summary, total_duration, snapshot_id: modern ? id : id.slice(0, 8) }
}

function pathsOf(words: string[]): string[] {
  const list = flagValues(words, '--files-from-raw')[0]
  if (list !== undefined) return readFileSync(list, 'utf8').split('\0').filter(Boolean)
  const dashes = words.indexOf('--')
  return dashes === -1 ? words.filter(word => word.startsWith('/')) : words.slice(dashes + 1)
}

function end(exitCode: number): never {
  record(folder, { event: 'ended', run, at: new Date().toISOString(), exitCode, signal: null })
  process.exit(exitCode)
}

function die(signal: NodeJS.Signals): void {
  record(folder, { event: 'ended', run, at: new Date().toISOString(), exitCode: null, signal })
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

function fail(error: unknown): void {
  process.stderr.write(`fake restic: ${String(error)}\n`)
  end(2)
}
