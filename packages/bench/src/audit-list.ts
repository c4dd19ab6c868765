// A page of a long audit log, as the dashboard asks for it: each filter, at the newest rows and far back.
import { fillAudit, hostIdIn, openDatabase, startServer, auditTimeOf } from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'

const fullRows = 1_000_000
const hosts = 5_000
const people = 50
/** What a person at a page does not notice. */
const goalMs = 50

/**
 * Milliseconds of one call over HTTP, server and caller in one process, the middle of `runs` × 5. The limit is a call that reads one
 * row, measured in turn with it.
 */
export async function benchAuditList({ runs, scale }: { runs: number; scale: number }): Promise<Figure[]> {
  await using server = await startServer()
  const fill = { rows: Math.round(fullRows * scale), hosts, people }
  await server.db.execute('alter table audit_events disable trigger user')
  await server.db.execute('truncate audit_events')
  const { sql, close } = openDatabase(server.databaseUrl, { max: 1 })
  await fillAudit(sql, fill)
  const hostId = hostIdIn(17)
  await close()

  const share = (part: number) => Math.round(fill.rows * part)
  const day = { from: auditTimeOf(fill, share(0.3)), until: auditTimeOf(fill, share(0.3) + 2_880) }
  const filters = {
    everything: {},
    'a-person': { actor: 'person7@' },
    'one-host-as-actor': { actor: 'web-17' },
    'all-hosts-as-actors': { actor: 'web-' },
    'of-long-ago': { actor: 'gone@' },
    'an-act': { action: 'hosts.update' },
    'acts-of-a-noun': { action: 'hosts.' },
    'a-target': { targetId: hostId },
    'a-host': { hostId },
    'a-day': day,
    'a-person-on-a-day': { actor: 'person7@', ...day },
  }
  const back = Buffer.from(
    JSON.stringify([auditTimeOf(fill, share(0.5)).toISOString(), share(0.5)]),
  ).toString('base64url')

  const figures: Figure[] = []
  for (const [name, filter] of Object.entries(filters))
    for (const [where, cursor] of [
      ['newest', undefined],
      ['far-back', back],
    ] as const) {
      const took = { ours: [] as number[], limit: [] as number[] }
      for (let turn = 0; turn < runs * 5; turn += 1) {
        took.ours.push(await timed(() => server.api.audit.list.query({ ...filter, cursor, limit: 100 })))
        took.limit.push(await timed(() => server.api.me.get.query()))
      }
      const [ours, limit] = [median(took.ours), median(took.limit)]
      figures.push({
        name: `audit-list ${name} ${where}`,
        unit: 'ms',
        ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
        ...{ goal: goalMs, ok: ours <= goalMs },
      })
    }
  return figures
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
