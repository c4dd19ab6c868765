// People of the identity provider: whose account somebody is, who gets one, and how accounts are linked. The e-mail never decides afterwards.
import { and, eq, ne } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { Email } from '@restic-manager/contract/operators'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Role } from '@restic-manager/contract/role'
import { Name } from '@restic-manager/contract/scalars'
import type { ProviderSettings } from '../config-provider.ts'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { operatorAccounts as accounts, operators } from '../db/schema-operators.ts'
import { type Actor, nobodyAt } from '../fleet/audit.ts'
import { makeChange } from '../fleet/audited.ts'
import { acceptInvitationOf } from './invitations.ts'
import { createOperator } from './operators.ts'
import { type Arrival, type Claims, ProviderFailure } from './provider.ts'
import { followRole } from './users.ts'

type Person = Pick<Arrival, 'issuer' | 'subject'>
type Rules = Pick<ProviderSettings, 'domains' | 'domainRole' | 'groupRoles'>

/** The operator somebody is linked with. */
export async function findByProvider(db: Db, { issuer, subject }: Person): Promise<string | undefined> {
  const [found] = await db
    .select({ operatorId: accounts.userId })
    .from(accounts)
    .where(and(eq(accounts.providerId, issuer), eq(accounts.accountId, subject)))
  return found?.operatorId
}

type Comer = {
  arrival: Arrival
  /** The hash of the link of an invitation that they hold. */
  invitation: string | undefined
  address: string
}

/** The operator somebody is, or becomes now: linked, invited, or of a domain that is let in. Throws a `ProviderFailure` for everybody else. */
export async function enterByProvider(db: Db, rules: Rules, comer: Comer): Promise<string> {
  const { arrival } = comer
  const linked = await findByProvider(db, arrival)
  if (linked !== undefined && rules.groupRoles.length === 0) return linked
  const claims = await arrival.claims()
  const role = roleOf(rules, claims)
  const operatorId = linked ?? (await makeOnce(db, rules, { ...comer, claims, role }))
  if (role !== undefined) await giveRole(db, { operatorId, role, issuer: arrival.issuer })
  return operatorId
}

async function giveRole(db: Db, wish: { operatorId: string; role: Role; issuer: string }): Promise<void> {
  const { operatorId, role, issuer } = wish
  const [now] = await db.select({ role: operators.role }).from(operators).where(eq(operators.id, operatorId))
  if (now?.role === role) return
  const actor: Actor = { kind: 'server', name: issuer }
  const subject = () => ({ kind: 'operator' as const, id: operatorId })
  await makeChange(db, { actor, action: 'role by groups', subject }, tx => followRole(tx, operatorId, role))
}

/** The highest role of somebody's groups; undefined when groups are not looked at. */
function roleOf({ groupRoles }: Rules, { groups }: Claims): Role | undefined {
  if (groupRoles.length === 0) return undefined
  const found = groupRoles.find(({ group }) => groups.includes(group))
  if (found === undefined) throw new ProviderFailure('groups')
  return found.role
}

type Newcomer = Comer & { claims: Claims; role: Role | undefined }

/** Of two browsers in which one person comes for the first time, the second finds the account of the first. */
async function makeOnce(db: Db, rules: Rules, newcomer: Newcomer): Promise<string> {
  const act = {
    actor: nobodyAt(newcomer.address),
    action: 'let in by the identity provider',
    subject: (made?: string) => (made === undefined ? undefined : { kind: 'operator' as const, id: made }),
  }
  try {
    return await makeChange(db, act, async tx => {
      const operatorId = await makeOperator(tx, rules, newcomer)
      await addLink(tx, newcomer.arrival, operatorId)
      return operatorId
    })
  } catch (error) {
    const linked = await findByProvider(db, newcomer.arrival)
    if (linked !== undefined) return linked
    if (error instanceof Refusal && error.code === 'name_taken') throw new ProviderFailure('taken', error)
    throw error
  }
}

async function makeOperator(tx: Db, rules: Rules, { claims, invitation, role }: Newcomer): Promise<string> {
  const email = Email.safeParse(claims.email).data
  const name = Name.safeParse(claims.name?.trim().slice(0, 200)).data
  if (invitation !== undefined) {
    // Whoever holds the link could as well choose a password: it says more than an e-mail does.
    const invited = await acceptInvitationOf(tx, {
      secretHash: invitation,
      name: name ?? email ?? 'New operator',
    })
    if (invited === undefined) throw new ProviderFailure('invitation')
    return invited
  }
  if (email === undefined) throw new ProviderFailure('unverified')
  const invited = await acceptInvitationOf(tx, { email, name: name ?? email })
  if (invited !== undefined) return invited
  // An account that is there may have been made for somebody else who had this address: its owner has to link it.
  const [there] = await tx.select({ id: operators.id }).from(operators).where(eq(operators.email, email))
  if (there !== undefined) throw new ProviderFailure('taken')
  if (!rules.domains.includes(email.slice(email.lastIndexOf('@') + 1))) throw new ProviderFailure('unknown')
  const made = { email, name: name ?? email, role: role ?? rules.domainRole, passwordHash: undefined }
  return createOperator(tx, made)
}

async function addLink(tx: Db, { issuer, subject }: Person, operatorId: string): Promise<void> {
  const link = { id: newId(), userId: operatorId, providerId: issuer, accountId: subject }
  const added = await tx.insert(accounts).values(link).onConflictDoNothing().returning({ id: accounts.id })
  if (added.length === 0) throw new ProviderFailure('linked elsewhere')
}

/** Links an account with somebody, one person to an account. Safe to call twice. */
export async function linkProvider(db: Db, actor: Actor & { id: string }, person: Person): Promise<void> {
  const { id: operatorId } = actor
  const subject = () => ({ kind: 'operator' as const, id: operatorId })
  await makeChange(db, { actor, action: 'account.linkProvider', subject }, async tx => {
    await tx.select({ id: operators.id }).from(operators).where(eq(operators.id, operatorId)).for('update')
    const [link] = await tx
      .select({ issuer: accounts.providerId, subject: accounts.accountId })
      .from(accounts)
      .where(and(eq(accounts.userId, operatorId), ne(accounts.providerId, 'credential')))
    if (link?.issuer === person.issuer && link.subject === person.subject) return
    if (link !== undefined) throw new ProviderFailure('linked already')
    await addLink(tx, person, operatorId)
    await notify(tx, 'operator', operatorId)
  })
}

/** Takes the link off an account that has a password to come in with. Safe to call twice. */
export async function unlinkProvider(db: Db, operatorId: string): Promise<void> {
  const isOf = eq(accounts.userId, operatorId)
  const [password] = await db
    .select({ id: accounts.id })
    .from(accounts)
    .where(and(isOf, eq(accounts.providerId, 'credential')))
  if (password === undefined)
    throw new Refusal('last_way_in', 'This account has no password, so the identity provider is its way in.')
  await db.transaction(async tx => {
    await tx.delete(accounts).where(and(isOf, ne(accounts.providerId, 'credential')))
    await notify(tx, 'operator', operatorId)
  })
}
