// A storage that only takes: what the everyday credential cannot do there is refused and said, the lent one can.
import { newId } from '@restic-manager/contract/ids'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { restServer, type RestServer } from '@restic-manager/testkit/rest-server'
import { eachRestic, findTool } from '@restic-manager/testkit/restic'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jobBench, type JobBench } from '../testing-jobs.ts'
import type { JobContext } from './context.ts'
import { listLockIds } from './locks.ts'
import { runJob } from './run.ts'
import { listAllSnapshots } from './snapshots.ts'

const SLOW = 180_000
const user = { name: 'host-1', password: 'everyday s3cret' }
const server = await findTool('rest-server')

describe.skipIf('missing' in server)('on an append-only REST server', async () => {
  await eachRestic(restic => {
    let keeps: RestServer
    beforeAll(async () => {
      keeps = await restServer({ path: 'path' in server ? server.path : '', user, appendOnly: true })
    })
    afterAll(async () => {
      await keeps?.[Symbol.asyncDispose]()
    })

    /** A repository with three backups, reached as a host does every day, and as the maintenance host may. */
    async function prepare(bench: JobBench) {
      const name = newId()
      const scheduleId = newId()
      bench.makeRepository(join(keeps.dir, name))
      const everyday: JobContext = {
        ...bench.context,
        scheduleId,
        repository: access(bench, {
          url: keeps.url(name, { credentials: false }),
          username: user.name,
          credential: user.password,
        }),
      }
      for (let run = 0; run < 3; run += 1) {
        writeFileSync(join(bench.source, 'file'), `${run} `.repeat(20_000))
        const outcome = await runJob('backup', { ...everyday, jobId: newId() }, { paths: [bench.source] })
        expect(outcome.status).toBe('succeeded')
      }
      const admin = {
        ...everyday,
        isElevated: true,
        repository: access(bench, { url: join(keeps.dir, name) }),
      }
      const targets = [{ hostId: everyday.hostId, scheduleId }]
      return { everyday, admin, spec: { retention: { last: 1 }, dryRun: false, targets } }
    }

    test(
      'deleting is refused and nothing is lost; with the credential that was lent it is done',
      async () => {
        using bench = jobBench(restic)
        const { everyday, admin, spec } = await prepare(bench)
        const plain = { ...bench.context, repository: admin.repository }
        const left = async () => (await listAllSnapshots(plain)).length

        const forget = await runJob('forget', { ...everyday, jobId: newId() }, spec)
        expect(forget).toMatchObject({ status: 'failed', reason: 'deletion_refused' })
        expect(forget.error).toMatch(/^The storage refused to delete\. .*403/)
        expect(await left()).toBe(3)
        expect(await listLockIds(plain)).toEqual([])

        expect(await runJob('forget', { ...admin, jobId: newId() }, spec)).toMatchObject({
          status: 'succeeded',
          stats: { groups: [{ keepCount: 1, removeCount: 2 }] },
        })
        expect(await left()).toBe(1)

        const prune = await runJob('prune', { ...everyday, jobId: newId() }, { maxUnusedPercent: 0 })
        expect(prune).toMatchObject({ status: 'failed', reason: 'deletion_refused' })
        expect(await listLockIds(plain)).toEqual([])
        expect(await runJob('prune', { ...admin, jobId: newId() }, { maxUnusedPercent: 0 })).toMatchObject({
          status: 'succeeded',
        })
        // A check changes nothing, so the everyday credential is enough for it.
        expect(await runJob('check', { ...everyday, jobId: newId() }, { readPercent: 100 })).toMatchObject({
          status: 'succeeded',
        })
        expect(bench.said()).not.toContain(user.password)
      },
      SLOW,
    )
  })
})

function access(bench: JobBench, over: Partial<RepositoryAccess>): RepositoryAccess {
  return { ...bench.context.repository, mayDelete: false, ...over }
}
