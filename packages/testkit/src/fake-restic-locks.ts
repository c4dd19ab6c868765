// Who may be at work on a repository at the same time: backups beside each other, what removes or checks only alone.
import { setTimeout as sleep } from 'node:timers/promises'
import { flagValues, isModern, type FakeStep } from './fake-restic-script.ts'
import { locksOf, readLedger, record, type FakeLock } from './fake-restic-ledger.ts'
import type { Call } from './fake-restic-call.ts'

const exclusive = new Set(['forget', 'prune', 'check'])

/** Whether a run takes a lock, and of which kind. */
export function lockKind({ command, argv }: Pick<Call, 'command' | 'argv'>): 'none' | 'shared' | 'exclusive' {
  if (argv.includes('--no-lock')) return 'none'
  return command === 'backup' ? 'shared' : exclusive.has(command) ? 'exclusive' : 'none'
}

/** Takes the lock of a run, after waiting for others as long as it was told to. Answers what is said when it cannot. */
export async function takeLock(call: Call, isOver: () => boolean): Promise<FakeStep[] | undefined> {
  const kind = lockKind(call)
  if (kind === 'none') return undefined
  const patience = lengthOf(flagValues(call.argv, '--retry-lock')[0] ?? '0s')
  const deadline = performance.now() + patience
  for (;;) {
    const locks = locksOf(readLedger(call.folder), call.repository, call.machine)
    const holder = locks.find(({ body }) => kind === 'exclusive' || body.exclusive)
    if (holder === undefined) break
    if (isOver()) return []
    if (performance.now() >= deadline) return refused(call, holder)
    await sleep(50)
  }
  record(call.folder, {
    event: 'locked',
    run: call.run,
    at: new Date().toISOString(),
    exclusive: kind === 'exclusive',
  })
  return undefined
}

function refused({ version }: Call, { id, body }: FakeLock): FakeStep[] {
  const how = body.exclusive ? ' exclusively' : ''
  const age = `${(Date.now() - Date.parse(body.time)) / 1_000}s`
  const message = [
    `unable to create lock in backend: repository is already locked${how} by PID ${body.pid} on ${body.hostname} by ${body.username} (UID ${body.uid}, GID ${body.gid})`,
    `lock was created at ${body.time.slice(0, 19).replace('T', ' ')} (${age} ago)`,
    `storage ID ${id.slice(0, 8)}`,
    'the `unlock` command can be used to remove stale locks',
  ].join('\n')
  return isModern(version)
    ? [{ print: { message_type: 'exit_error', code: 11, message }, to: 'stderr' }, { exit: 11 }]
    : [{ print: message, to: 'stderr' }, { exit: 1 }]
}

/** A duration of Go in milliseconds: `10m`, `1m30s`, `500ms`. */
function lengthOf(duration: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }
  const parts = [...duration.matchAll(/([\d.]+)(ms|h|m|s)/g)]
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0)
}
