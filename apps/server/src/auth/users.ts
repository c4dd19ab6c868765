// Operators as admins see and change them. Somebody who may do everything is always left.
import { and, asc, eq, isNull, ne, sql } from 'drizzle-orm'
import type { UserView } from '@restic-manager/contract/operators'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Role } from '@restic-manager/contract/role'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { operatorPasskeys, operators, operatorSessions } from '../db/schema-operators.ts'
import { removeSecondFactor } from './second-factors.ts'

/** Everybody who may sign in, by name. */
export async function listUsers(db: Db): Promise<UserView[]> {
  const has = (query: ReturnType<typeof sql>) => sql<boolean>`exists(${query})`
  const rows = await db
    .select({
      ...{ id: operators.id, name: operators.name, email: operators.email },
      ...{ role: operators.role, tags: operators.tags, createdAt: operators.createdAt },
      password: has(
        sql`select 1 from operator_accounts a where a.operator_id = operators.id and a.provider_id = 'credential'`,
      ),
      provider: has(
        sql`select 1 from operator_accounts a where a.operator_id = operators.id and a.provider_id <> 'credential'`,
      ),
      code: has(sql`select 1 from operator_two_factors f where f.operator_id = operators.id and f.verified`),
      passkey: has(sql`select 1 from operator_passkeys p where p.operator_id = operators.id`),
      sessions: sql<number>`(select count(*)::int from operator_sessions s where s.operator_id = operators.id and s.expires_at > now())`,
      seen: sql<
        string | null
      >`(select max(s.updated_at) from operator_sessions s where s.operator_id = operators.id)`,
    })
    .from(operators)
    .orderBy(asc(sql`lower(${operators.name})`), asc(operators.id))
    .limit(1_000)
  return rows.map(({ password, provider, code, passkey, seen, ...user }) =>
    Object.assign(user, {
      ways: Object.entries({ password, code, passkey, provider }).flatMap(([way, there]) =>
        there ? [way as UserView['ways'][number]] : [],
      ),
      lastSeenAt: seen === null ? null : new Date(seen),
    }),
  )
}

/** Changes what somebody may do; their sockets close and come back with it. */
export async function updateUser(
  db: Db,
  { operatorId, role, tags }: { operatorId: string; role: Role; tags: string[] | null },
): Promise<void> {
  await db.transaction(async tx => {
    if (role !== 'admin' || tags !== null) await requireAnotherAdmin(tx, operatorId)
    const changed = await tx
      .update(operators)
      .set({ role, tags, updatedAt: new Date() })
      .where(eq(operators.id, operatorId))
      .returning({ id: operators.id })
    if (changed.length === 0) throw gone()
    await notify(tx, 'operator', operatorId)
  })
}

/** Gives somebody the role that their groups at the identity provider have. The last admin stays one. Safe to call twice. */
export async function followRole(db: Db, operatorId: string, role: Role): Promise<void> {
  await db.transaction(async tx => {
    const admins = await holdAdmins(tx)
    if (admins.length === 1 && admins[0]?.id === operatorId) return
    const changed = await tx
      .update(operators)
      .set({ role, updatedAt: new Date() })
      .where(and(eq(operators.id, operatorId), ne(operators.role, role)))
      .returning({ id: operators.id })
    if (changed.length > 0) await notify(tx, 'operator', operatorId)
  })
}

/** Removes somebody with their sessions, keys and passkeys. Safe to call twice. */
export async function removeUser(db: Db, operatorId: string): Promise<void> {
  await db.transaction(async tx => {
    await requireAnotherAdmin(tx, operatorId)
    await tx.delete(operators).where(eq(operators.id, operatorId))
    await notify(tx, 'operator', operatorId)
  })
}

/** Lets somebody who lost every second factor in again with the password alone. Safe to call twice. */
export async function resetSecondFactor(db: Db, email: string): Promise<void> {
  await db.transaction(async tx => {
    const [found] = await tx.select({ id: operators.id }).from(operators).where(eq(operators.email, email))
    if (found === undefined)
      throw new Refusal('operator_not_found', `There is no operator with the e-mail ${email}.`)
    await removeSecondFactor(tx, found.id)
    await tx.delete(operatorPasskeys).where(eq(operatorPasskeys.operatorId, found.id))
    await tx.delete(operatorSessions).where(eq(operatorSessions.userId, found.id))
    await notify(tx, 'operator', found.id)
  })
}

/** Holds the rows of all who may do everything until the transaction ends: of two that lower each other, one is refused. */
async function requireAnotherAdmin(tx: Db, operatorId: string) {
  const admins = await holdAdmins(tx)
  if (admins.length === 1 && admins[0]?.id === operatorId)
    throw new Refusal('not_allowed', 'This is the last admin for all hosts. Make another one first.')
}

const holdAdmins = (tx: Db) =>
  tx
    .select({ id: operators.id })
    .from(operators)
    .where(and(eq(operators.role, 'admin'), isNull(operators.tags)))
    .orderBy(asc(operators.id))
    .for('update')

const gone = () => new Refusal('operator_not_found', 'This operator is gone.')
