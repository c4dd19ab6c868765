// /healthz: the process is alive. /readyz: it can do its work.
import type { FastifyInstance } from 'fastify'

/** Why the server is not ready; undefined when it is. */
export type Readiness = () => Promise<'database' | 'migrations' | 'stopping' | undefined>

/** Adds both routes. Neither says anything that a stranger could use. */
export function addHealth(app: FastifyInstance, readiness: Readiness) {
  app.get('/healthz', async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ alive: true }),
  )
  app.get('/readyz', async (_request, reply) => {
    const reason = await readiness()
    return reply
      .status(reason === undefined ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(reason === undefined ? { ready: true } : { ready: false, reason })
  })
}
