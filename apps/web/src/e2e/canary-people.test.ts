// Canaries of people and machines: whatever lets somebody in is shown once at most, and kept as a hash, sealed, or not at all.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { operatorClient, startServer } from '@restic-manager/server/testing'
import { openidProvider, testBrowser } from '@restic-manager/server/testing/sign-in'
import { findSecrets, formsOf, type Secret } from '@restic-manager/testkit/canaries'
import { signedIn } from '@restic-manager/testkit/signed-in'
import { until } from '@restic-manager/testkit/until'
import { startWireTap, type WireTap } from '@restic-manager/testkit/wire-tap'
import { expect, test } from 'vitest'
import { codeNow } from './authenticator.ts'
import { dumpTables, readBackup, readState } from './canary-places.ts'

/** In how many answers over HTTP the secret stands, in any form. Frames of a WebSocket count with the answer that began it. */
function showings(tap: WireTap, { value }: Secret): number {
  const answers = tap.answered().flatMap(text => text.split(/^HTTP\/1\.1 /m))
  const forms = formsOf(value)
  return answers.filter(answer => forms.some(form => answer.includes(form))).length
}

const after = (text: string, mark: string) => text.slice(text.indexOf(mark) + mark.length)

test('what lets people and machines in is shown once at most, kept as a hash, and written nowhere', async () => {
  await using operators = await startWireTap()
  await using agents = await startWireTap()
  await using provider = await openidProvider()
  await using server = await startServer({
    process: true,
    env: { RM_PUBLIC_URL: operators.url, ...provider.env },
  })
  operators.lead(server.port)
  agents.lead(server.port)
  await provider.serve(operators.url)
  const post = (to: string, body: object, browser = testBrowser()) =>
    browser.ask('POST', `${operators.url}/auth/${to}`, body)

  const admin = await server.createOperator()
  const asAdmin = operatorClient(operators.url, admin.apiKey, signedIn(operators.url, admin))
  const { api } = asAdmin

  // First-run set-up, which is over by now.
  const [, setupSecret = ''] = /setup#(\S+)/.exec(server.printed()) ?? []
  const wish = { name: 'Eve', email: 'eve@example.org', password: 'long enough a password' }
  expect((await post('setup', { ...wish, secret: setupSecret })).status).toBe(409)

  // A person comes by an invitation, mistakes the fields of the form once, and sets up an authenticator app.
  const email = 'noor@example.org'
  const password = `canary p%ss "word" ${randomBytes(9).toString('hex')}`
  const { link } = await api.users.invite.mutate({ email, role: 'admin', tags: null })
  const invitation = after(link, '#')
  const noor = testBrowser()
  expect((await post('invitation/accept', { secret: invitation, name: 'Noor', password }, noor)).status).toBe(
    200,
  )
  expect((await post('invitation', { secret: invitation })).status).toBe(403)
  expect((await post('sign-in/email', { email: password, password: email })).status).toBe(401)
  const cookieOf = (browser: typeof noor) =>
    [...browser.jar(operators.url)].map(pair => pair.join('=')).join('; ')
  const asNoor = operatorClient(operators.url, admin.apiKey, async () => ({ cookie: cookieOf(noor) }))
  const { address, secret: typed } = await asNoor.api.account.beginSecondFactor.mutate()
  const totp = new URL(address).searchParams.get('secret') ?? ''
  const { codes } = await asNoor.api.account.confirmSecondFactor.mutate({ code: codeNow(typed) })
  const again = testBrowser()
  await post('sign-in/email', { email, password }, again)
  expect((await post('sign-in/second', { code: codes[0] }, again)).status).toBe(200)

  // A script with a key of theirs, and one that mistypes it.
  const { key } = await asNoor.api.keys.create.mutate({ name: 'script', scopes: ['*'], days: 1 })
  const byKey = operatorClient(operators.url, key)
  await byKey.api.hosts.list.query({})
  const mistyped = operatorClient(operators.url, `${key}x`)
  await expect(mistyped.api.hosts.list.query({})).rejects.toThrow()

  // Somebody by the identity provider, who is nobody here: the client's secret has been to the provider by then.
  const { said } = await post('provider/begin', { for: 'sign-in' }, noor)
  const callback = `${operators.url}/auth/provider/callback`
  const back = await noor.visit((JSON.parse(said) as { url: string }).url, { as: 'stranger', back: callback })
  expect((await noor.ask('GET', back)).location).toContain('problem=')

  // A machine, and another with the same token.
  const { token } = await api.enrolments.create.mutate({ requestId: newId() })
  const from = { url: agents.url, createEnrolment: async () => token }
  await using agent = await startAgent(from, { process: true })
  await expect(startAgent(from)).rejects.toThrow()
  await until(async () => (await api.hosts.get.query({ hostId: agent.hostId })).state === 'online')
  const [, bearer = ''] = /^authorization: bearer (\S+)/im.exec(agents.asked().join('\n')) ?? []
  const pem = readFileSync(path.join(agent.stateDir, 'key.pem'), 'utf8').replaceAll(/-----.*-----|\s/g, '')

  const repositoryPassword = `canary of a vault ${randomBytes(9).toString('hex')}`
  const { repositoryId } = await api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'vault', url: '/srv/vault', hostIds: [agent.hostId] },
    ...{ password: repositoryPassword, mayDelete: true },
  })
  await api.repositories.reveal.mutate({ repositoryId })

  // Everything that anybody could read again.
  for (const { api: by } of [asAdmin, asNoor, byKey]) {
    await Promise.all([
      by.me.get.query(),
      by.account.get.query(),
      by.keys.list.query(),
      by.sessions.list.query(),
    ])
    await Promise.all([by.users.list.query(), by.enrolments.list.query(), by.alerts.list.query({})])
    await Promise.all([by.repositories.list.query(), by.hosts.list.query({}), by.settings.get.query()])
    await Promise.all([by.audit.list.query({}), by.audit.export.query({ format: 'ndjson' })])
    await by.repositories.get.query({ repositoryId })
  }

  const [cookie = ''] = [...noor.jar(operators.url).values()].map(value => decodeURIComponent(value))
  const [session = ''] = cookie.split('.')
  /** `shown`: in how many answers. `kept`: what the database has of it. */
  const canaries: (Secret & { shown: number; kept?: string })[] = [
    { name: 'the password of an operator', value: password, shown: 0 },
    { name: 'the session of an operator', value: session, shown: 1, kept: session },
    { name: 'an API key', value: key, shown: 1, kept: key },
    { name: 'an enrolment token', value: token, shown: 1, kept: token },
    { name: 'the secret of an authenticator app', value: totp, shown: 1 },
    ...codes.map((code, at) => ({ name: `recovery code ${at + 1}`, value: code, shown: 1 })),
    { name: 'the secret of an invitation', value: invitation, shown: 1, kept: invitation },
    { name: 'the secret of set-up', value: setupSecret, shown: 0, kept: setupSecret },
    { name: 'the secret at the provider', value: provider.env['RM_OIDC_CLIENT_SECRET'] ?? '', shown: 0 },
    { name: 'the password of a repository', value: repositoryPassword, shown: 1 },
    { name: 'the key of a host', value: pem, shown: 0 },
    { name: 'the key of a host, bare', value: Buffer.from(pem, 'base64').subarray(-32), shown: 0 },
    { name: 'the bearer of an agent', value: bearer, shown: 0 }, // spent: not even its hash is left
  ]
  for (const canary of canaries)
    expect({ name: canary.name, shown: showings(operators, canary) }).toEqual({
      name: canary.name,
      shown: canary.shown,
    })

  const places = {
    'the tables': await dumpTables(server),
    'the backup': await readBackup(server),
    'the log of the server': server.log(),
    'the log of the agent': agent.output(),
    'the state of the agent': readState(agent.stateDir, { but: ['key.pem', 'config.json'] }),
  }
  for (const [place, text] of Object.entries(places)) {
    expect(text, place).toContain(
      place === 'the log of the server' ? 'an enrolment was refused' : agent.hostId,
    )
    expect({ place, found: findSecrets(text, canaries) }).toEqual({ place, found: [] })
  }

  // The search is worth something: it finds the hashes of tokens where they are kept, and that what is sealed is there.
  const hashes = [
    ...canaries.flatMap(({ name, kept }) => (kept === undefined ? [] : [{ name, value: sha256(kept) }])),
    ...codes
      .slice(1)
      .map((code, at) => ({ name: `code ${at + 2}`, value: sha256(code.replaceAll('-', '')) })),
  ]
  expect(hashes.length).toBe(14)
  for (const place of ['the tables', 'the backup'] as const) {
    expect(findSecrets(places[place], hashes), place).toEqual(hashes.map(({ name }) => name))
    expect(places[place].match(/\brm1\.[0-9a-f]{16}\./g)?.length, place).toBeGreaterThanOrEqual(3)
  }
  expect(findSecrets(readState(agent.stateDir, { but: [] }), canaries)).toEqual([
    'the password of a repository',
    'the key of a host',
    'the key of a host, bare',
  ])
  await Promise.all([asAdmin, asNoor, byKey, mistyped].map(({ close }) => close()))
})

const sha256 = (text: string) => createHash('sha256').update(text).digest()
