// What every answer tells a browser: which scripts may run, that nobody frames the page, and what it is not to guess.
import fastifyHelmet from '@fastify/helmet'
import type { FastifyInstance, FastifyReply } from 'fastify'

/**
 * Adds them to every answer of `app`. Helmet makes them anew for each request, which costs more than all that Fastify does besides, and
 * they are always the same: so it makes them for the first one.
 */
export async function addSecurityHeaders(app: FastifyInstance, { https }: { https: boolean }) {
  await app.register(fastifyHelmet, {
    global: false,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        // Mantine writes its variables into style elements as the theme changes.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: https ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    // Browsers complain about it on plain http, where it does nothing.
    crossOriginOpenerPolicy: https ? { policy: 'same-origin' } : false,
    originAgentCluster: https,
  })
  let headers: Record<string, string> | undefined
  app.addHook('onRequest', (_request, reply, done) => {
    headers ??= makeHeaders(reply)
    reply.headers(headers)
    done()
  })
}

/** Those that Helmet adds to an answer, which has them afterwards. */
function makeHeaders(reply: FastifyReply): Record<string, string> {
  const before = new Set(reply.raw.getHeaderNames())
  void reply.helmet()
  const added = Object.entries(reply.raw.getHeaders()).filter(([name]) => !before.has(name))
  return Object.fromEntries(added.map(([name, value]) => [name, String(value)]))
}
