// An agent whose own disk is full: a real small file system, filled to its last byte while a backup runs.
import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { is, until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { enrolHost } from './enrol.ts'
import { reserveBytes } from './reserve.ts'
import { startAgent } from './testing.ts'
import { quick } from './testing-desk.ts'
import { startFarEnd } from './testing-far-end.ts'
import { testFolder } from './testing-folder.ts'
import { backupOrder, configOrder } from './testing-orders.ts'

/** A file system of that size, unmounted at the end; undefined where only root could make one. */
async function smallDisk(size: string) {
  const folder = mkdtempSync(join(tmpdir(), 'rm-disk-'))
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], {
    reject: false,
  })
  const remove = async () => {
    if (mounted.exitCode === 0) await execa('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true, force: true })
  }
  if (mounted.exitCode !== 0) await remove()
  return mounted.exitCode === 0 ? { folder, [Symbol.asyncDispose]: remove } : undefined
}

/** Takes all there is; a full disk takes less than it is given before it refuses. */
function fillUp(path: string): void {
  const file = openSync(path, 'a')
  try {
    for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2))
      for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}

test('on a full disk the backup goes on, its end is kept over a SIGKILL, and the host says so until there is room (row 23)', async ({
  skip,
}) => {
  const found = await smallDisk('20m')
  if (found === undefined) skip('a small file system can only be mounted by root')
  await using disk = found as NonNullable<typeof found>
  const folder = testFolder('rm-full-')
  const stateDir = join(disk.folder, 'state')
  const filler = join(disk.folder, 'filler')
  const steps = [{ wait: 'full' }, { flood: { lines: 2_000, text: 'y'.repeat(200) } }, { summary: {} }]
  const restic = fakeRestic(folder, { runs: { backup: { steps } } })
  await using end = await startFarEnd()
  end.order(configOrder())
  await enrolHost({ server: end.url, token: end.token, stateDir, allowPlainHttp: false })
  await using agent = await startAgent(
    { url: end.url, createEnrolment: async () => '' },
    { process: true, stateDir, restic: restic.path, timing: { ...quick, diskRetry: 100 } },
  )
  const reserve = () => statSync(join(stateDir, 'reserve')).size
  const endOf = (jobId: string) =>
    until(
      () => end.memory.facts.find(({ name, message }) => name === 'job.finished' && message.jobId === jobId),
      undefined,
      {
        what: `the end of job ${jobId}`,
      },
    )
  const saysFull = () => end.memory.heartbeats.at(-1)?.spool.full === true

  const order = backupOrder()
  end.order(order)
  await restic.reached('full')
  await until(() => end.memory.facts.some(({ name }) => name === 'job.started'))
  expect(reserve()).toBe(reserveBytes)
  end.refuseUpgrades = 503
  end.dropSockets()
  fillUp(filler)
  restic.open('full')
  await until(() => agent.facts().some(({ name, acked }) => name === 'job.finished' && !acked))
  expect(reserve()).toBeLessThan(reserveBytes)
  expect(reserve()).toBeGreaterThan(reserveBytes / 2)
  expect(agent.status().spool).toMatchObject({ reserveLeft: reserve() })
  fillUp(filler) // whoever fills the disk takes what was left of the piece
  await agent.kill()
  await agent.restart()
  end.refuseUpgrades = undefined
  expect((await endOf(order.jobId)).message).toMatchObject({ status: 'succeeded' })
  await until(saysFull)

  const next = backupOrder()
  end.order(next)
  await endOf(next.jobId)
  expect(restic.runs('backup')).toHaveLength(2)

  // Half of it is gone by now: what is left is for ends, and an agent that cannot start tells none.
  await agent.stop()
  truncateSync(join(stateDir, 'reserve'), reserveBytes / 2)
  fillUp(filler)
  const hellos = end.memory.hellos.length
  await agent.restart()
  await until(() => end.memory.hellos.length > hellos)

  rmSync(filler)
  await until(reserve, is(reserveBytes))
  end.dropSockets()
  await until(saysFull, is(false))
  expect(agent.output()).toContain('the disk of the spool has room again')
  expect(agent.output()).not.toMatch(/unhandled|uncaught/i)
})
