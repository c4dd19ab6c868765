// A restic that the kernel kills because its host ran out of memory: a real one, in a control group with too little of it.
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFiles } from '@restic-manager/testkit/files'
import { currentRestic } from '@restic-manager/testkit/restic'
import { expect, test } from 'vitest'
import { jobBench } from '../testing-jobs.ts'
import { runJob } from './run.ts'

/** A control group with that much memory and no swap; undefined where none may be made. */
function smallMemory(bytes: number) {
  const name = `rm-test-${process.pid}`
  for (const [root, limit] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const) {
    const group = join(root, name)
    try {
      mkdirSync(group)
    } catch {
      continue
    }
    try {
      writeFileSync(join(group, limit), String(bytes))
      return { members: join(group, 'cgroup.procs'), [Symbol.dispose]: () => rmdirSync(group) }
    } catch {
      rmdirSync(group)
    }
  }
  return undefined
}

await currentRestic(restic => {
  test('a restic for which the memory does not suffice fails its job as killed, and the next one runs (row 21)', async ({
    skip,
  }) => {
    const found = smallMemory(16_000_000)
    if (found === undefined) skip('a control group for memory can only be made by root')
    using memory = found as NonNullable<typeof found>
    const folder = mkdtempSync(join(tmpdir(), 'rm-memory-'))
    const path = join(folder, 'restic')
    const enter = `case " $* " in *" backup "*) echo $$ > '${memory.members}';; esac`
    writeFileSync(path, `#!/bin/sh\n${enter}\nexec '${restic.path}' "$@"\n`)
    chmodSync(path, 0o755)
    using bench = jobBench({ ...restic, path })
    bench.makeRepository()
    makeFiles(bench.source, { files: 50, bytes: 30_000_000 })
    const spec = { paths: [bench.source] }
    expect(await runJob('backup', bench.context, spec)).toMatchObject({
      ...{ status: 'failed', reason: 'killed', signal: 'SIGKILL' },
    })
    const unlimited = { ...bench.context, restic }
    expect(await runJob('backup', unlimited, spec)).toMatchObject({ status: 'succeeded' })
    rmSync(folder, { recursive: true, force: true })
  })
})
