// The dashboard's files. Any address that is not a file or an API shows the page: its router reads the rest.
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, sep } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

const apiPath = /^\/(?:agent|trpc|join|auth|healthz|readyz)(?:[/?]|$)/

const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>restic-manager</title>
<h1>The page is not built yet</h1>
<p>The server runs, but its page is missing. Build it with <code>npm run build</code>, then load this again.</p>
</html>
`

/** Finds the document of an address: one that the build made for it, which names the files of its page, or the plain one. */
async function readDocuments(pageDir: string): Promise<(url: string) => string> {
  const folder = join(pageDir, 'documents')
  if (!existsSync(folder)) return () => 'index.html'
  const files = (await readdir(folder, { recursive: true })).filter(file => file.endsWith('.html'))
  const known = files.map(file => {
    const parts = file.slice(0, -'.html'.length).split(sep)
    return { file: join('documents', file), parts: parts[0] === 'index' ? [''] : parts }
  })
  // What is said by name goes before a part that may be anything.
  const inOrder = known.toSorted((a, b) => Number(a.file.includes('$')) - Number(b.file.includes('$')))
  return url => {
    const wanted = (url.split(/[?#]/)[0] ?? '').replace(/\/$/, '').slice(1).split('/')
    const fits = ({ parts }: { parts: string[] }) =>
      parts.length === wanted.length &&
      parts.every((part, at) => (part.startsWith('$') ? wanted[at] !== '' : part === wanted[at]))
    return inOrder.find(fits)?.file ?? 'index.html'
  }
}

/** Serves the folder `pageDir`. Names in assets/ carry a hash of their content and are kept for a year. */
export async function addPage(app: FastifyInstance, pageDir: string) {
  const documentOf = await readDocuments(pageDir)
  if (existsSync(pageDir)) {
    await app.register(fastifyStatic, {
      root: pageDir,
      index: false,
      cacheControl: false,
      // The build lays them beside each file.
      preCompressed: true,
      setHeaders: (reply, path) => {
        const hashed = path.includes(`${sep}assets${sep}`)
        reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    })
  }
  app.setNotFoundHandler(async (request, reply) => {
    const isPage = request.method === 'GET' || request.method === 'HEAD'
    const wantsFile = /\.[a-z0-9]{2,5}$/i.test(request.url.split('?')[0] ?? '')
    if (!isPage || wantsFile || apiPath.test(request.url))
      return reply.status(404).send({ code: 'not_found', message: 'There is nothing at this address.' })
    if (!existsSync(join(pageDir, 'index.html')))
      return reply
        .status(503)
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(notBuilt)
    return reply
      .header('cache-control', 'no-cache')
      .type('text/html; charset=utf-8')
      .sendFile(documentOf(request.url))
  })
}
