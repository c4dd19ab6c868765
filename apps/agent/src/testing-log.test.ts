// The search at the end of every test agent can fail: what an agent keeps secret is planted here in what was logged.
import { mkdtempSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openAppliedConfig } from './applied-config.ts'
import { openKey } from './identity.ts'
import { keepLog, refuseSecretsIn } from './testing-log.ts'
import { configOrder } from './testing-orders.ts'

test('a log that shows a secret of the configuration or the key of the host fails the test', () => {
  const folder = mkdtempSync('/tmp/rm-log-')
  const { log, text } = keepLog()
  const update = configOrder()
  if (update.order !== 'config.update') throw new Error('this is another order')
  openAppliedConfig(folder, log).apply(update)
  const key = openKey(folder).export({ format: 'jwk' })
  log.trace('nothing of it')
  expect(() => refuseSecretsIn(text(), folder)).not.toThrow()
  const [repository] = update.repositories
  expect(() => refuseSecretsIn(`it said ${repository?.password}`, folder)).toThrow(
    'The log of the agent shows the password of a repository.',
  )
  expect(() => refuseSecretsIn(JSON.stringify(key), folder)).toThrow('the key of the host')
  rmSync(folder, { recursive: true })
})
