// The search at the end of every test server can fail: each kind of secret is planted here in what was logged.
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { repositoryOf } from './testing-fleet.ts'
import { keepLog, refuseSecretsIn } from './testing-log.ts'
import { startServer } from './testing.ts'

test('a log that shows a secret of the database, the sealing key, a password or a token fails the test', async () => {
  await using server = await startServer()
  const password = 'found "in" the log'
  await server.api.repositories.create.mutate(repositoryOf({ hostIds: [], password }))
  const { db, secretKeyFile } = server
  const known = [{ name: 'the password of an operator', value: 'anna types this' }]
  const search = async (said: object) => {
    const kept = keepLog('silent')
    kept.log.trace(said, 'below every level')
    await refuseSecretsIn(kept.text(), { db, secretKeyFile, known })
  }
  await expect(search({ password })).resolves.toBeUndefined() // cut out by its name
  await expect(search({ error: password })).rejects.toThrow(
    'The log of the server shows a password secret of a repository.',
  )
  const key = (await readFile(secretKeyFile, 'utf8')).trim()
  await expect(search({ error: key })).rejects.toThrow('the sealing key')
  await expect(search({ body: 'anna types this' })).rejects.toThrow('the password of an operator')
  await expect(search({ asked: `bearer ${server.apiKey}` })).rejects.toThrow('an API key')
})
