// How far each enrolment has come, for the page that waits for a machine to appear.
import { and, asc, desc, eq, inArray, isNull } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import type { EnrolmentView } from '@restic-manager/contract/enrolment'
import { fingerprintOf } from '@restic-manager/runtime/fingerprint'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { enrolments } from '../db/schema-enrolments.ts'
import { enrolmentsIn, hostsIn, type Scope, wholeFleet } from './scope.ts'

/** The newest enrolments are of interest; older ones stay in the database. */
const MOST_LISTED = 200

const columns = {
  id: enrolments.id,
  createdAt: enrolments.createdAt,
  createdBy: enrolments.createdBy,
  expiresAt: enrolments.expiresAt,
  maxUses: enrolments.maxUses,
  usesLeft: enrolments.usesLeft,
  needsApproval: enrolments.needsApproval,
  revokedAt: enrolments.revokedAt,
  refusedCount: enrolments.refusedCount,
  lastRefusedAt: enrolments.lastRefusedAt,
}

/** The newest enrolments first, each with the hosts it let in. */
export async function listEnrolments(db: Db, scope: Scope): Promise<EnrolmentView[]> {
  const rows = await db
    .select(columns)
    .from(enrolments)
    .where(enrolmentsIn(scope))
    .orderBy(desc(enrolments.createdAt), desc(enrolments.id))
    .limit(MOST_LISTED)
  return withHosts(db, scope, rows)
}

/** One enrolment. Throws `enrolment_not_found`. */
export async function viewEnrolment(
  db: Db,
  enrolmentId: string,
  scope: Scope = wholeFleet,
): Promise<EnrolmentView> {
  const rows = await db.select(columns).from(enrolments).where(eq(enrolments.id, enrolmentId))
  const [view] = await withHosts(db, scope, rows)
  if (view === undefined) throw new Refusal('enrolment_not_found', 'There is no such enrolment.')
  return view
}

async function withHosts(
  db: Db,
  scope: Scope,
  rows: Omit<EnrolmentView, 'hosts'>[],
): Promise<EnrolmentView[]> {
  if (rows.length === 0) return []
  const enrolled = await db
    .select({
      enrolmentId: hosts.enrolmentId,
      id: hosts.id,
      name: hosts.name,
      redeemedAt: hosts.enrolledAt,
      provedAt: hosts.provedAt,
      waitsSince: hosts.awaitsApprovalSince,
      publicKey: hosts.publicKey,
      online: hosts.online,
      resticVersion: hosts.resticVersion,
      connectedAt: hosts.connectedAt,
    })
    .from(hosts)
    .where(
      and(
        hostsIn(scope),
        inArray(
          hosts.enrolmentId,
          rows.map(row => row.id),
        ),
        isNull(hosts.removedAt),
      ),
    )
    .orderBy(asc(hosts.enrolledAt), asc(hosts.id))
  const byEnrolment = Map.groupBy(enrolled, host => host.enrolmentId)
  return rows.map(row => ({ ...row, hosts: (byEnrolment.get(row.id) ?? []).map(shown) }))
}

const shown = ({
  enrolmentId: _,
  publicKey,
  ...host
}: Omit<EnrolmentView['hosts'][number], 'fingerprint'> & {
  enrolmentId: string | null
  publicKey: string
}): EnrolmentView['hosts'][number] => ({ ...host, fingerprint: fingerprintOf(publicKey) })
