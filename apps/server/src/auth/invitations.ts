// Invitations: a link that makes one account, of a role that was chosen for it, within seven days.
import { createHash, randomBytes } from 'node:crypto'
import { and, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { InvitationView } from '@restic-manager/contract/operators'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Role } from '@restic-manager/contract/role'
import type { Db } from '../db/open.ts'
import { operatorInvitations as invitations, operators } from '../db/schema-operators.ts'
import { nobodyAt, writeAudit } from '../fleet/audit.ts'
import { createOperator } from './operators.ts'

const lifeDays = 7

/** What is kept of the secret of a link. */
export const hashOfInvitation = (secret: string): string => createHash('sha256').update(secret).digest('hex')

const isOpen = and(
  isNull(invitations.acceptedAt),
  isNull(invitations.revokedAt),
  gt(invitations.expiresAt, sql`now()`),
)

/** Makes an invitation and answers the secret of its link, which is seen only now. An earlier one of that e-mail ends. */
export async function createInvitation(
  db: Db,
  wish: { email: string; role: Role; tags: string[] | null; createdBy: string },
): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  await db.transaction(async tx => {
    const [there] = await tx
      .select({ id: operators.id })
      .from(operators)
      .where(eq(operators.email, wish.email))
    if (there !== undefined)
      throw new Refusal('name_taken', `There is an operator with the e-mail ${wish.email} already.`)
    await tx
      .update(invitations)
      .set({ revokedAt: sql`now()` })
      .where(and(eq(invitations.email, wish.email), isOpen))
    await tx.insert(invitations).values({
      ...wish,
      id: newId(),
      secretHash: hashOfInvitation(secret),
      expiresAt: sql`now() + ${lifeDays} * interval '1 day'`,
    })
  })
  return secret
}

/** Invitations that can still be taken up, the newest on top. */
export async function listInvitations(db: Db): Promise<InvitationView[]> {
  const { id, email, role, tags, createdBy, expiresAt } = invitations
  return db
    .select({ id, email, role, tags, createdBy, expiresAt })
    .from(invitations)
    .where(isOpen)
    .orderBy(desc(invitations.createdAt))
    .limit(500)
}

/** Ends an invitation. Safe to call twice. */
export async function revokeInvitation(db: Db, invitationId: string): Promise<void> {
  await db
    .update(invitations)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(invitations.id, invitationId), isOpen))
}

/** For whom the link is. Undefined when it is used, revoked, over or was never made. */
export async function readInvitation(
  db: Db,
  secret: string,
): Promise<{ email: string; role: Role } | undefined> {
  const [found] = await db
    .select({ email: invitations.email, role: invitations.role })
    .from(invitations)
    .where(and(eq(invitations.secretHash, hashOfInvitation(secret)), isOpen))
  return found
}

/** Makes the account of an invitation and answers its id: of two that take it up at once one gets it. */
export async function acceptInvitation(
  db: Db,
  wish: { secret: string; name: string; passwordHash: string; address: string },
): Promise<string> {
  const isThis = eq(invitations.secretHash, hashOfInvitation(wish.secret))
  const { secret: _, address, ...person } = wish
  return db.transaction(async tx => {
    const { operatorId, invitation } = await takeUp(tx, isThis, person)
    const { email, role, tags, createdBy } = invitation
    await writeAudit(tx, {
      ...{ actor: nobodyAt(address), action: 'invitation accepted' },
      target: { kind: 'operator', id: operatorId, name: email },
      after: { name: wish.name, email, role, tags, invitedBy: createdBy },
    })
    return operatorId
  })
}

/**
 * The same for somebody whom the identity provider knows: by the invited e-mail, or by the link that they hold. Undefined: there is
 * no such invitation.
 */
export async function acceptInvitationOf(
  db: Db,
  { name, ...by }: { name: string } & ({ email: string } | { secretHash: string }),
): Promise<string | undefined> {
  const isThis = 'email' in by ? eq(invitations.email, by.email) : eq(invitations.secretHash, by.secretHash)
  try {
    return (await takeUp(db, isThis, { name, passwordHash: undefined })).operatorId
  } catch (error) {
    if (error instanceof InvitationOver) return undefined
    throw error
  }
}

class InvitationOver extends Refusal {
  constructor() {
    super('token_refused', 'This invitation was used, revoked or is over. Ask for a new one.')
  }
}

async function takeUp(
  db: Db,
  isThis: ReturnType<typeof eq>,
  { name, passwordHash }: { name: string; passwordHash: string | undefined },
) {
  return db.transaction(async tx => {
    const [taken] = await tx
      .update(invitations)
      .set({ acceptedAt: sql`now()` })
      .where(and(isThis, isOpen))
      .returning()
    if (taken === undefined) throw new InvitationOver()
    const { email, role, tags } = taken
    const operatorId = await createOperator(tx, { email, name, role, tags, passwordHash })
    return { operatorId, invitation: taken }
  })
}
