// API keys: for scripts and tools, sent as `Authorization: Bearer`. Shown once; only their SHA-256 is kept.
import { createHash, randomBytes } from 'node:crypto'
import { and, desc, eq, gt, isNull, or, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { KeyView } from '@restic-manager/contract/operators'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Principal } from '../context.ts'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { apiKeys, operators } from '../db/schema-operators.ts'

const form = /^rmk_[A-Za-z0-9_-]{43}$/

const hash = (key: string) => createHash('sha256').update(key).digest('hex')

/** Makes a key that acts as the operator with that e-mail. The answer is the only time it is seen. */
export async function createApiKey(
  db: Db,
  wish: { email: string; name: string; scopes?: string[]; expiresAt?: Date },
): Promise<string> {
  const { email, name, scopes = ['*'], expiresAt } = wish
  const key = `rmk_${randomBytes(32).toString('base64url')}`
  const [operator] = await db.select({ id: operators.id }).from(operators).where(eq(operators.email, email))
  if (operator === undefined)
    throw new Refusal('operator_not_found', `There is no operator with the e-mail ${email}.`)
  const row = {
    id: newId(),
    operatorId: operator.id,
    name,
    scopes,
    prefix: key.slice(0, 10),
    hash: hash(key),
  }
  await db.insert(apiKeys).values({ ...row, ...(expiresAt && { expiresAt }) })
  return key
}

/** An operator's keys that are not revoked, the newest on top. */
export async function listApiKeys(db: Db, operatorId: string): Promise<KeyView[]> {
  const { id, name, prefix, scopes, createdAt, expiresAt, lastUsedAt } = apiKeys
  return db
    .select({ id, name, prefix, scopes, createdAt, expiresAt, lastUsedAt })
    .from(apiKeys)
    .where(and(eq(apiKeys.operatorId, operatorId), isNull(apiKeys.revokedAt)))
    .orderBy(desc(apiKeys.createdAt), desc(apiKeys.id))
    .limit(500)
}

/** Ends a key of an operator, and the sockets it opened. Safe to call twice. */
export async function revokeApiKey(db: Db, wish: { operatorId: string; keyId: string }): Promise<void> {
  const { operatorId, keyId } = wish
  await db.transaction(async tx => {
    await tx
      .update(apiKeys)
      .set({ revokedAt: sql`now()` })
      .where(and(eq(apiKeys.id, keyId), eq(apiKeys.operatorId, operatorId), isNull(apiKeys.revokedAt)))
    await notify(tx, 'operator', operatorId)
  })
}

export type ApiKeys = {
  /** Whom a key speaks for; undefined when it is unknown, expired or revoked. */
  principalOf(key: string): Promise<Principal | undefined>
  /** Writes down when keys were used last. */
  flush(): Promise<void>
}

/** Looks keys up. Their last use is kept in memory and written by `flush`, one statement for all. */
export function createApiKeys(db: Db): ApiKeys {
  let used = new Map<string, Date>()
  return {
    async principalOf(key) {
      if (!form.test(key)) return undefined
      const [found] = await db
        .select({
          keyId: apiKeys.id,
          keyName: apiKeys.name,
          operatorId: operators.id,
          name: operators.name,
          email: operators.email,
          role: operators.role,
          tags: operators.tags,
          scopes: apiKeys.scopes,
        })
        .from(apiKeys)
        .innerJoin(operators, eq(operators.id, apiKeys.operatorId))
        .where(
          and(
            eq(apiKeys.hash, hash(key)),
            isNull(apiKeys.revokedAt),
            or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
          ),
        )
      if (found === undefined) return undefined
      const { keyId, keyName, scopes, tags, ...operator } = found
      used.set(keyId, new Date())
      return { ...operator, tags: tags ?? undefined, by: { kind: 'key', keyId, name: keyName, scopes } }
    },
    async flush() {
      if (used.size === 0) return
      const writing = used
      used = new Map()
      const rows = JSON.stringify([...writing].map(([id, at]) => ({ id, at: at.toISOString() })))
      try {
        await db.execute(sql`
          update ${apiKeys} as k set last_used_at = greatest(k.last_used_at, u.at)
          from jsonb_to_recordset(${rows}::jsonb) as u(id uuid, at timestamptz)
          where k.id = u.id`)
      } catch (error) {
        for (const [id, at] of writing) if (!used.has(id)) used.set(id, at)
        throw error
      }
    },
  }
}
