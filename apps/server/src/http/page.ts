// The dashboard's files. Any address that is not a file or an API shows the page: its router reads the rest.
import { existsSync } from 'node:fs'
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

/** Serves the folder `pageDir`. Names in assets/ carry a hash of their content and are kept for a year. */
export async function addPage(app: FastifyInstance, pageDir: string) {
  if (existsSync(pageDir)) {
    await app.register(fastifyStatic, {
      root: pageDir,
      index: ['index.html'],
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
    return reply.header('cache-control', 'no-cache').type('text/html; charset=utf-8').sendFile('index.html')
  })
}
