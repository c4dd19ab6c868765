// The seal of a server at its start: finds its keys, checks them against the database, and tells the database which it has.
import { sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { Db } from './open.ts'
import { fingerprintSetting, makeSeal, readFingerprint, type Seal } from './seal.ts'
import { keysInUse } from './sealed-columns.ts'
import { type KeySource, loadKey, nameOf } from './sealing-keys.ts'

/** `old`: the key that `key` takes the place of, while that goes on. */
export type Keys = { key: KeySource; old?: KeySource | undefined }

export type OpenSeal = {
  seal: Seal
  /** Says again that this server is there, so that no rotation begins without it. */
  tellKeys(): Promise<void>
  /** The server is gone. */
  forgetKeys(): Promise<void>
}

/** Rows of `settings`, one to a running server: which keys it knows, and when it said so. */
const holderPrefix = 'sealing_keys_of:'
/** A server that has not spoken for so long does not run. */
const silentSeconds = 120

/**
 * The seal of this database. The key is made at the first start only; later a missing or another key is a sentence, because
 * everything sealed so far would be lost.
 */
export async function openSeal(db: Db, keys: Keys): Promise<OpenSeal> {
  const seal = await loadSeal(keys, { make: (await readFingerprint(db)) === undefined })
  const id = newId()
  const tell = (fresh: boolean) =>
    db.transaction(async tx => {
      if (fresh) await checkKeys(tx, seal, keys)
      await tx.execute(sql`
        insert into settings (name, value)
        values (${holderPrefix + id}, jsonb_build_object('at', now(), 'keys', ${JSON.stringify(seal.fingerprints)}::jsonb))
        on conflict (name) do update set value = excluded.value`)
    })
  await tell(true)
  return {
    seal,
    tellKeys: () => tell(false),
    async forgetKeys() {
      // Without a database it is forgotten after a while.
      await db.execute(sql`delete from settings where name = ${holderPrefix + id}`).catch(() => {})
    },
  }
}

/** The keys as they are configured. Throws a sentence when one is missing. `make`: the own one is made when it is a file. */
export async function loadSeal({ key, old }: Keys, { make }: { make: boolean }): Promise<Seal> {
  const load = async (source: KeySource, mayMake: boolean, setting: string) => {
    const found = await loadKey(source, { make: mayMake })
    if (found !== undefined) return found
    throw new Error(
      `The sealing key ${nameOf(source)} is missing. Put the file back, or set ${setting} to where it is.`,
    )
  }
  const own = await load(key, make && old === undefined, 'RM_SECRET_KEY_FILE')
  const earlier = old === undefined ? [] : [await load(old, false, 'RM_OLD_SECRET_KEY_FILE')]
  return makeSeal(own, earlier)
}

/** Held until the row of this server is there: no rotation can begin in between. */
async function checkKeys(tx: Db, seal: Seal, { key }: Keys) {
  await tx.execute(sql`
    insert into settings (name, value) values (${fingerprintSetting}, to_jsonb(${seal.fingerprint}::text))
    on conflict do nothing`)
  const now = await readFingerprint(tx, { hold: true })
  if (now === undefined || !seal.knows(now))
    throw new Error(
      `The key in ${nameOf(key)} is not the one this database was sealed with (fingerprint ${seal.fingerprint}, needed ${String(now)}). Put the right file back, or set RM_SECRET_KEY_FILE to it.`,
    )
  const foreign = (await keysInUse(tx)).filter(({ fingerprint }) => !seal.knows(fingerprint))
  for (const { fingerprint, secrets } of foreign)
    throw new Error(
      `${secrets} stored secrets are still sealed with an older key (fingerprint ${fingerprint}), which is not at hand. Set RM_OLD_SECRET_KEY_FILE to it, and finish with: npm run -s admin -- rotate-key`,
    )
}

/** Running servers that do not know the key of `fingerprint`. Rows of servers that are gone are removed. */
export async function serversWithout(tx: Db, fingerprint: string): Promise<number> {
  await tx.execute(sql`
    delete from settings where name like ${`${holderPrefix}%`}
      and (value ->> 'at')::timestamptz < now() - ${silentSeconds} * interval '1 second'`)
  const rows = await tx.execute(sql`
    select 1 from settings where name like ${`${holderPrefix}%`} and not value -> 'keys' ? ${fingerprint}`)
  return rows.length
}
