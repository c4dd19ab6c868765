// What an agent that was killed left of access in memory does not outlive the start of the next one.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lendAccess, sweepLentAccess } from './lend-access.ts'

const key = JSON.stringify({ type: 'service_account', private_key: 'canary' })

test.skipIf(process.platform !== 'linux')(
  'keys that a dead agent left are removed, also where it had the process id of this one; keys in use stay',
  () => {
    const temp = mkdtempSync(join(tmpdir(), 'lend-'))
    const folders = { cache: temp, temp }
    const access = { url: 'gs:bucket:/', password: 'a password', credential: key }
    using lent = lendAccess(access, '0.18.0', folders)
    const left = [4_194_305, process.pid].map(pid => `/dev/shm/restic-agent-${pid}-lEft0${process.pid}`)
    for (const folder of left) {
      mkdirSync(folder, { mode: 0o700 })
      writeFileSync(join(folder, 'key.json'), key)
    }
    sweepLentAccess(folders)
    expect(left.map(folder => existsSync(folder))).toEqual([false, false])
    expect(readFileSync(String(lent.env.GOOGLE_APPLICATION_CREDENTIALS), 'utf8')).toBe(key)
  },
)
