// Certificates that are not good: the agent tells such a server nothing, says so loudly, and never tries without.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { createLog } from '@restic-manager/runtime/log'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testProgram } from '../../../scripts/test-programs.ts'
import { saveEnrolment } from './identity.ts'
import { makePrivateFolder } from './files.ts'
import { readStatus } from './status.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rm-tls-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const openssl = (...words: string[]) => execa('openssl', words, { cwd: folder })
const hasOpenssl = !(await execa('openssl', ['version'], { reject: false })).failed

/** A certificate that signs itself, for that name and that time. The authority of the openssl command takes dates of the past. */
async function makeCertificate(name: string, [from, to]: readonly [string, string]) {
  const settings = `[ca]
default_ca=one
[one]
database=index
new_certs_dir=.
serial=serial
default_md=sha256
policy=any
x509_extensions=names
[any]
commonName=supplied
[names]
subjectAltName=DNS:${name}
`
  const files = { settings: settings, index: '', serial: '01\n' }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    'key.pem',
    '-subj',
    `/CN=${name}`,
  ]
  await openssl('req', '-new', ...key, '-out', 'request.pem')
  const sign = ['-batch', '-selfsign', '-notext', '-keyfile', 'key.pem', '-startdate', from, '-enddate', to]
  await openssl('ca', '-config', 'settings', ...sign, '-in', 'request.pem', '-out', 'cert.pem')
  const read = (file: string) => readFileSync(join(folder, file), 'utf8')
  return { key: read('key.pem'), cert: read('cert.pem') }
}

const past = ['20200101000000Z', '20200102000000Z'] as const
const now = ['20200101000000Z', '20990101000000Z'] as const

test.skipIf(!hasOpenssl).for([
  { what: 'has expired', name: 'localhost', dates: past, why: /expired/ },
  {
    what: 'is for another name',
    name: 'elsewhere.example',
    dates: now,
    why: /altnames|does not match/,
  },
  { what: 'nobody vouches for', name: 'localhost', dates: now, why: /self.signed/ },
  { what: 'is good', name: 'localhost', dates: now, why: undefined },
])('a server whose certificate $what gets what it deserves (row 7)', async ({ what, name, dates, why }) => {
  const { key, cert } = await makeCertificate(name, dates)
  const asked: string[] = []
  const server = createServer({ key, cert }, (request, response) => {
    asked.push(String(request.url))
    response.writeHead(503).end()
  })
  let plain = 0
  server.on('tlsClientError', error => {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SSL_HTTP_REQUEST') plain += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stateDir = join(folder, 'state')
  makePrivateFolder(stateDir)
  const serverUrl = `https://localhost:${(server.address() as AddressInfo).port}`
  saveEnrolment(stateDir, { serverUrl, hostId: newId(), hostName: 'h', allowPlainHttp: true })
  const agent = spawn(process.execPath, [await testProgram('agent'), 'run', '--state-dir', stateDir], {
    env: {
      ...nodeEnvironment,
      ...(what === 'nobody vouches for' ? {} : { NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') }),
      RM_TIMING: JSON.stringify({ backoffBase: 20, backoffCap: 40 }),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  agent.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const exited = once(agent, 'exit')
  try {
    if (why === undefined) await until(() => asked.length > 1)
    else {
      const link = () => readStatus({ stateDir, policyFile: '' }, createLog({ level: 'silent' })).link
      const told = await until(link, status => status?.state === 'refused')
      expect(told?.why).toMatch(
        /^The server could not prove that it is the one this host was enrolled with: /,
      )
      expect(told?.why).toMatch(why)
      await until(() => output.split('nothing is told to it').length > 3) // it was dialled again, and again
      expect(asked).toEqual([])
    }
    expect(plain).toBe(0)
  } finally {
    agent.kill('SIGTERM')
    await exited
    server.closeAllConnections()
    server.close()
  }
})
