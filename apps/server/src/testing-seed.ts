// For tests only: a server whose database holds a made-up fleet, as the seed command makes it.
import { readConfig } from './config.ts'
import { openSeal } from './db/open-seal.ts'
import { type Seeded, seedFleet } from './seed/seed-fleet.ts'
import type { TestServer } from './testing.ts'

/** Fills the database of a test server. Hosts are taken for online for a day, though nobody is there. */
export async function seedServer(
  { db, secretKeyFile }: Pick<TestServer, 'db' | 'secretKeyFile'>,
  { hosts, jobs, days = 30, seed = 1 }: { hosts: number; jobs: number; days?: number; seed?: number },
): Promise<Seeded> {
  const { secretKeys } = readConfig({ RM_SECRET_KEY_FILE: secretKeyFile })
  const { seal, forgetKeys } = await openSeal(db, secretKeys)
  return seedFleet(db, seal, { hosts, jobs, days, seed, onlineHours: 24 }).finally(forgetKeys)
}
