// What plain requests get: health, page, headers, limits, and no help for other sites.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { createReadyCheck } from '../db/ready.ts'
import { startServer, type TestServer } from '../testing.ts'

let server: TestServer
let pageDir: string

beforeAll(async () => {
  pageDir = await mkdtemp('/tmp/rm-page-')
  await mkdir(join(pageDir, 'assets'))
  await writeFile(join(pageDir, 'index.html'), '<!doctype html><title>page</title>')
  await writeFile(join(pageDir, 'assets/app-4711.js'), 'export {}')
  server = await startServer({ pageDir })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(pageDir, { recursive: true, force: true })
})

const get = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init)

describe('the page', () => {
  test('is the same for every address that is no file and no API, and is asked for anew each time', async () => {
    for (const path of ['/', '/hosts', '/hosts/0199?tab=jobs', '/setup']) {
      const answer = await get(path)
      expect(answer.status, path).toBe(200)
      expect(await answer.text()).toContain('<title>page</title>')
      expect(answer.headers.get('cache-control')).toBe('no-cache')
    }
  })

  test('keeps files with a hash in their name for a year, and misses are no page', async () => {
    const asset = await get('/assets/app-4711.js')
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(asset.headers.get('content-type')).toContain('javascript')
    for (const path of ['/assets/app-old.js', '/auth/nothing', '/trpcx.json', '/../../etc/passwd.txt'])
      expect((await get(path)).status, path).toBe(404)
    expect((await get('/assets/..%2f..%2fpackage.json')).status).toBeGreaterThanOrEqual(400)
  })

  test('goes out as small as the browser can read it, and whole to one that cannot', async () => {
    await writeFile(join(pageDir, 'assets/app-4711.js.gz'), gzipSync('export {}'))
    for (const encoding of ['gzip', undefined]) {
      const answer = await get('/assets/app-4711.js', {
        headers: { 'accept-encoding': encoding ?? 'identity' },
      })
      expect(answer.headers.get('content-encoding') ?? undefined).toBe(encoding)
      expect(answer.headers.get('vary')).toMatch(/accept-encoding/i)
      expect(answer.headers.get('content-type')).toContain('javascript')
      expect(await answer.text()).toBe('export {}')
    }
  })

  test('is told by its address alone which files it needs, where the build knows that', async () => {
    await using undo = new AsyncDisposableStack()
    const built = await mkdtemp('/tmp/rm-page-')
    undo.defer(() => rm(built, { recursive: true, force: true }))
    await mkdir(join(built, 'documents/hosts/$hostId/schedules'), { recursive: true })
    await writeFile(join(built, 'index.html'), 'plain')
    for (const name of ['index', 'hosts', 'hosts/$hostId', 'hosts/add', 'hosts/$hostId/schedules/add'])
      await writeFile(join(built, `documents/${name}.html`), name)
    await using other = await startServer({ pageDir: built })
    const documentAt = async (address: string) => {
      const answer = await fetch(`${other.url}${address}`)
      expect(answer.headers.get('cache-control'), address).toBe('no-cache')
      return answer.text()
    }
    expect(await documentAt('/')).toBe('index')
    expect(await documentAt('/?state=late')).toBe('index')
    expect(await documentAt('/hosts?search=a/b')).toBe('hosts')
    expect(await documentAt('/hosts/')).toBe('hosts')
    expect(await documentAt('/hosts/0199')).toBe('hosts/$hostId')
    expect(await documentAt('/hosts/add')).toBe('hosts/add')
    expect(await documentAt('/hosts/0199/schedules/add')).toBe('hosts/$hostId/schedules/add')
    for (const address of ['/hosts/0199/jobs', '/index/', '/nothing', '/hosts/0199/schedules/add/it'])
      expect(await documentAt(address), address).toBe('plain')
  })

  test('runs no inline script, is framed by nobody and sends no referrer', async () => {
    const { headers } = await get('/')
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/script-src 'self'(;|$)/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toContain("base-uri 'none'")
    expect(policy).not.toContain('unsafe-eval')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  test('when it is not built, the server says so and works', async () => {
    await using bare = await startServer()
    const answer = await fetch(`${bare.url}/hosts`)
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('npm run build')
    expect((await fetch(`${bare.url}/readyz`)).status).toBe(200)
  })
})

describe('readiness', () => {
  test('says ready while the database answers', async () => {
    expect(await (await get('/readyz')).json()).toEqual({ ready: true })
    expect((await get('/healthz')).status).toBe(200)
  })

  test('a database that takes connections and never answers is told within a few seconds', async () => {
    const frozen = createServer(() => {})
    await new Promise<void>(resolve => frozen.listen(0, '127.0.0.1', resolve))
    const address = frozen.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const check = createReadyCheck(`postgres://u:p@127.0.0.1:${port}/x`)
    expect(await check.ask()).toBe('database')
    await check.close()
    frozen.close()
  })
})

describe('other sites', () => {
  const json = { 'content-type': 'application/json' }

  test.each(['/auth/sign-in/email', '/auth/sign-out', '/auth/setup'])('cannot post to %s', async path => {
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      const answer = await get(path, { method: 'POST', headers: { ...json, ...headers }, body: '{}' })
      expect(answer.status).toBe(403)
    }
  })

  test('cannot use a cookie on /trpc', async () => {
    const headers = { ...json, cookie: 'restic-manager=x', origin: 'https://evil.example' }
    const answer = await get('/trpc/hosts.remove', { method: 'POST', headers, body: '{}' })
    expect(answer.status).toBe(403)
  })
})

describe('limits', () => {
  test('bodies are bounded: small for strangers, 1 MiB for operators', async () => {
    const post = (path: string, bytes: number) =>
      get(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `"${'x'.repeat(bytes)}"`,
      })
    expect((await post('/auth/sign-in/email', 20_000)).status).toBe(413)
    expect((await post('/join/enrolment.redeem', 20_000)).status).toBe(413)
    expect((await post('/trpc/hosts.remove', 1_100_000)).status).toBe(413)
  })

  test('a subscription over plain HTTP is refused: nothing would end it with its session', async () => {
    const headers = { authorization: `Bearer ${server.apiKey}`, accept: 'text/event-stream' }
    const answer = await get('/trpc/live.changes', { headers })
    const said = await answer.text()
    expect(said).toContain('METHOD_NOT_SUPPORTED')
    expect(said).not.toContain('everything')
    // Those that watch the sockets of hosts and of operators, hosts that are in, and the one that times notifications.
    expect(server.listeners()).toBe(4)
  })

  test('a batch of calls is bounded, and /join takes one at a time', async () => {
    const names = (count: number, name: string) => Array.from({ length: count }, () => name).join(',')
    expect((await get(`/trpc/${names(33, 'me.get')}?batch=1`)).status).toBe(400)
    const two = await get(`/join/${names(2, 'session.challenge')}?batch=1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(two.status).toBe(400)
  })

  test('guessing a password is stopped after a few tries, by address', async () => {
    await using fresh = await startServer()
    const guess = async () => {
      const body = JSON.stringify({ email: 'a@example.org', password: 'wrong-password' })
      const headers = { 'content-type': 'application/json' }
      return (await fetch(`${fresh.url}/auth/sign-in/email`, { method: 'POST', headers, body })).status
    }
    expect(await guess()).toBe(401)
    await until(guess, status => status === 429)
  })
})
