// Operators' accounts: made by set-up and by the admin command, never by a stranger.
import { hashPassword, verifyPassword } from 'better-auth/crypto'
import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { Email } from '@restic-manager/contract/operators'
import { Refusal } from '@restic-manager/contract/refusal'
import { Name } from '@restic-manager/contract/scalars'
import type { Principal } from '../context.ts'
import type { Db } from '../db/open.ts'
import { operatorAccounts, operators } from '../db/schema-operators.ts'

const shortestPassword = 10
const longestPassword = 128

/** A password that is being chosen. */
export const NewPassword = z
  .string()
  .min(shortestPassword, `has fewer than ${shortestPassword} characters`)
  .max(longestPassword, `has more than ${longestPassword} characters`)

/** Who is to get an account. E-mails are kept in lower case. */
export const NewOperator = z.object({
  email: Email,
  name: Name,
  password: NewPassword,
})
export type NewOperator = z.infer<typeof NewOperator>

/** Reads a new operator or throws a refusal that names each field. */
export function parseNewOperator(input: unknown): NewOperator {
  const parsed = NewOperator.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(
    ({ path, message }) => `The ${path.join('.') || 'request'} ${message}.`,
  )
  throw new Refusal('bad_input', issues.join(' '))
}

/** Reads a password that is being chosen, or throws a refusal that says what is wrong with it. */
export function parseNewPassword(input: unknown): string {
  const parsed = NewPassword.safeParse(input)
  if (parsed.success) return parsed.data
  throw new Refusal('bad_input', `The password ${parsed.error.issues[0]?.message ?? 'cannot be used'}.`)
}

/** The hash that is stored; slow on purpose, so make it before a transaction begins. */
export const hashOf = (password: string): Promise<string> => hashPassword(password)

/** Makes an account. Throws `name_taken` when the e-mail has one already. */
export async function createOperator(
  db: Db,
  operator: Omit<NewOperator, 'password'> & {
    role: Principal['role']
    tags?: string[] | null
    /** Undefined: this account has no password and comes in another way. */
    passwordHash: string | undefined
  },
): Promise<string> {
  const { email, name, role, tags = null, passwordHash } = operator
  return db.transaction(async tx => {
    const made = await tx
      .insert(operators)
      .values({ id: newId(), email, name, role, tags, emailVerified: true })
      .onConflictDoNothing()
      .returning({ id: operators.id })
    const id = made[0]?.id
    if (id === undefined)
      throw new Refusal('name_taken', `There is an operator with the e-mail ${email} already.`)
    if (passwordHash !== undefined) {
      const account = { id: newId(), userId: id, accountId: id, providerId: 'credential' }
      await tx.insert(operatorAccounts).values({ ...account, password: passwordHash })
    }
    return id
  })
}

/** Whether an operator of exactly this role and password exists. */
export async function isSameOperator(
  db: Db,
  { email, role, password }: { email: string; role: string; password: string },
): Promise<boolean> {
  const [found] = await db
    .select({ role: operators.role, hash: operatorAccounts.password })
    .from(operators)
    .innerJoin(
      operatorAccounts,
      and(eq(operatorAccounts.userId, operators.id), eq(operatorAccounts.providerId, 'credential')),
    )
    .where(eq(operators.email, email))
  if (!found?.hash || found.role !== role) return false
  return verifyPassword({ hash: found.hash, password })
}

/** An operator as the audit log names one; `of` is an id or an e-mail. Undefined: there is none. */
export async function nameOperator(db: Db, of: string) {
  const isThis = of.includes('@') ? eq(operators.email, of.trim().toLowerCase()) : eq(operators.id, of)
  const [found] = await db.select({ id: operators.id, name: operators.email }).from(operators).where(isThis)
  return found && { kind: 'operator', ...found }
}

/** Whether there is any operator at all. */
export async function hasOperator(db: Db): Promise<boolean> {
  const found = await db.select({ id: operators.id }).from(operators).limit(1)
  return found.length > 0
}
