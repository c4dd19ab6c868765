// A host that names a job or a schedule of another host is refused, counted and written down: it is broken or hostile.
import { eq, sql } from 'drizzle-orm'
import type { Log } from '@restic-manager/runtime/log'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { raiseAlert } from './alerts.ts'
import { hostActor } from './audit.ts'
import { writeHostile } from './audit-repeats.ts'
import { ForeignId } from './facts.ts'

/** Runs a verb of `host` and counts it against the host when the verb refuses the id. Rethrows whatever it threw. */
export async function countForeignIds<T>(
  { db, host, log }: { db: Db; host: HostSession; log: Log },
  id: string,
  verb: () => Promise<T>,
): Promise<T> {
  try {
    return await verb()
  } catch (error) {
    if (error instanceof ForeignId) {
      log.warn({ hostId: host.id, id }, 'a host named what is not its own')
      await db.transaction(async tx => {
        const [named] = await tx
          .update(hosts)
          .set({ foreignIdCount: sql`${hosts.foreignIdCount} + 1` })
          .where(eq(hosts.id, host.id))
          .returning({ id: hosts.id, name: hosts.name })
        if (named === undefined) return
        await raiseAlert(tx, {
          kind: 'foreign_ids',
          ...{ subject: host.id, hostId: host.id },
          sentence:
            'Its agent named jobs or schedules of another host, and was refused. An honest agent does not: look at that machine.',
        })
        const target = { kind: 'host', ...named }
        await writeHostile(tx, {
          ...{ actor: hostActor(named), action: 'foreign id refused', target },
          ...{ hostIds: [host.id], after: { named: id } },
        })
      })
    }
    throw error
  }
}
