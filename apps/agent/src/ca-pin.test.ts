// A server whose authority only its pin names: the agent trusts that one, checks everything else as ever, and nobody in between.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { is, until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'
import { enrolHost } from './enrol.ts'
import { readEnrolment, saveEnrolment } from './identity.ts'
import { startAgent } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'rm-pin-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const hasOpenssl = !(await execa('openssl', ['version'], { reject: false })).failed
const openssl = (...words: string[]) => execa('openssl', words, { cwd: folder })
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

type Made = { certFile: string; keyFile: string; pin: string; ca: string }
const now = ['20200101000000Z', '20990101000000Z'] as const
const past = ['20200101000000Z', '20200102000000Z'] as const

/** A private authority and a certificate that it made out to a name; `alone`: one that signs itself instead. */
async function makeCertificate({
  name = 'localhost',
  dates = now,
  alone = false,
}: { name?: string; dates?: readonly [string, string]; alone?: boolean } = {}): Promise<Made> {
  const id = newId()
  const key = (file: string, subject: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    file,
    '-subj',
    subject,
  ]
  const settings = `[ca]
default_ca=one
[one]
database=${id}.index
new_certs_dir=.
serial=${id}.serial
default_md=sha256
policy=any
x509_extensions=names
[any]
commonName=supplied
[names]
subjectAltName=DNS:${name}
`
  writeFileSync(join(folder, `${id}.settings`), settings)
  writeFileSync(join(folder, `${id}.index`), '')
  writeFileSync(join(folder, `${id}.serial`), '01\n')
  await openssl(
    'req',
    '-x509',
    ...key(`${id}.ca.key`, `/CN=authority ${id}`),
    '-days',
    '30',
    '-out',
    `${id}.ca`,
  )
  await openssl('req', '-new', ...key(`${id}.key`, `/CN=${name}`), '-out', `${id}.request`)
  const signer = alone
    ? ['-selfsign', '-keyfile', `${id}.key`]
    : ['-cert', `${id}.ca`, '-keyfile', `${id}.ca.key`]
  const [from, to] = dates
  const sign = ['-batch', '-notext', ...signer, '-startdate', from, '-enddate', to]
  await openssl('ca', '-config', `${id}.settings`, ...sign, '-in', `${id}.request`, '-out', `${id}.cert`)
  writeFileSync(join(folder, `${id}.chain`), read(`${id}.cert`) + (alone ? '' : read(`${id}.ca`)))
  const ca = new X509Certificate(read(alone ? `${id}.cert` : `${id}.ca`))
  return {
    ...{ certFile: join(folder, `${id}.chain`), keyFile: join(folder, `${id}.key`), ca: ca.toString() },
    pin: `sha256:${ca.fingerprint256.replaceAll(':', '').toLowerCase()}`,
  }
}

const serve = ({ certFile, keyFile }: Made) =>
  startServer({ env: { RM_TLS_CERT_FILE: certFile, RM_TLS_KEY_FILE: keyFile } })
const urlOf = ({ port }: TestServer) => `https://localhost:${port}`
const enrol = (server: TestServer, token: string, caPin: string | undefined) =>
  enrolHost({ server: urlOf(server), token, stateDir: join(folder, token), allowPlainHttp: false, caPin })

test.skipIf(!hasOpenssl).for([
  { what: 'a private authority', alone: false },
  { what: 'a certificate that signs itself', alone: true },
])('an agent that pins $what connects, and keeps it', async ({ alone }) => {
  const made = await makeCertificate({ alone })
  await using server = await serve(made)
  await using agent = await startAgent(server, { url: urlOf(server), caPin: made.pin })
  await until(() => agent.status().link?.state, is('connected'))
  expect(readEnrolment(agent.stateDir)?.ca).toBe(made.ca)
})

test.skipIf(!hasOpenssl)(
  'an agent proves itself and comes in over one connection, and so each time',
  async () => {
    const made = await makeCertificate()
    await using server = await serve(made)
    await using proxy = await startTcpProxy({ port: server.port })
    const url = `https://localhost:${proxy.port}`
    await using agent = await startAgent(server, { url, caPin: made.pin })
    await until(() => agent.status().link?.state, is('connected'))
    await agent.stop()
    const before = proxy.counts.connections
    for (const times of [1, 2]) {
      await agent.restart()
      await until(() => agent.status().link?.state, is('connected'))
      await agent.stop()
      expect(proxy.counts.connections - before).toBe(times)
    }
  },
)

test.skipIf(!hasOpenssl)(
  'a wrong pin, and none at all, are refused before the token is told to anybody',
  async () => {
    const made = await makeCertificate()
    await using server = await serve(made)
    const token = await server.createEnrolment()
    await expect(enrol(server, token, `sha256:${'0'.repeat(64)}`)).rejects.toThrow(/not the one/)
    await expect(enrol(server, token, undefined)).rejects.toThrow(/self.signed|unable to/i)
    await expect(enrol(server, token, 'sha256:abc')).rejects.toThrow(/looks like/)
    expect(await enrol(server, token, made.pin)).toMatchObject({ already: false })
  },
)

test.skipIf(!hasOpenssl).for([
  { what: 'has expired', name: 'localhost', dates: past, why: /expired/ },
  { what: 'is for another name', name: 'elsewhere.example', dates: now, why: /altnames|does not match/ },
])(
  'a certificate of the pinned authority that $what is refused all the same',
  async ({ name, dates, why }) => {
    const made = await makeCertificate({ name, dates })
    await using server = await serve(made)
    await expect(enrol(server, await server.createEnrolment(), made.pin)).rejects.toThrow(why)
  },
)

test.skipIf(!hasOpenssl)(
  'a server of another authority is told nothing, until the new one is pinned in its place',
  async () => {
    const [made, other] = await Promise.all([makeCertificate(), makeCertificate()])
    await using server = await serve(made)
    await using agent = await startAgent(server, { url: urlOf(server), caPin: made.pin })
    await until(() => agent.status().link?.state, is('connected'))
    await agent.stop()
    const enrolment = readEnrolment(agent.stateDir)
    if (enrolment === undefined) throw new Error('not enrolled')
    saveEnrolment(agent.stateDir, { ...enrolment, ca: other.ca })
    await agent.restart()
    await until(() => agent.status().link?.state, is('refused'))
    expect(agent.status().link?.why).toMatch(/could not prove that it is the one this host was enrolled with/)
    await agent.stop()
    const again = { server: urlOf(server), token: await server.createEnrolment(), stateDir: agent.stateDir }
    await enrolHost({ ...again, allowPlainHttp: false, caPin: made.pin })
    await agent.restart()
    await until(() => agent.status().link?.state, is('connected'))
  },
)
