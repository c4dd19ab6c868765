// Lists the hosts without a good backup of the last 26 hours, or of as many as the first argument says. Exits with 1 if there are any.
// Needs a key with the scope hosts:read.
import type { Api, Outputs } from '@restic-manager/client'
import { run } from './environment.ts'

type HostRow = Outputs['hosts']['list']['rows'][number]

async function* hostsOf(api: Api): AsyncGenerator<HostRow> {
  let cursor: string | undefined
  do {
    const page = await api.hosts.list.query({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    yield* page.rows
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}

await run(async ({ api }, argument) => {
  const since = Date.now() - Number(argument || 26) * 3_600_000
  let unprotected = 0
  for await (const { name, state, lastGoodBackupAt } of hostsOf(api)) {
    if (lastGoodBackupAt !== null && lastGoodBackupAt.getTime() >= since) continue
    unprotected += 1
    console.log(`${name}\t${state}\t${lastGoodBackupAt?.toISOString() ?? 'never'}`)
  }
  return unprotected === 0 ? 0 : 1
})
