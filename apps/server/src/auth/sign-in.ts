// Sessions and their cookies: better-auth on our tables. None of its own routes is served; who may begin a session is decided here.
import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { createAuthEndpoint } from 'better-auth/api'
import { setSessionCookie } from 'better-auth/cookies'
import { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import type { Db } from '../db/open.ts'
import * as schema from '../db/schema-operators.ts'
import { keepingHashes } from './session-tokens.ts'
import { beginSession } from './sessions.ts'

const hours = 3_600

/** A session nobody used for this long has ended. In seconds. */
export const sessionIdleSeconds = 12 * hours
/** No session is older than this, however busy. In milliseconds. */
export const sessionLifeMs = 7 * 24 * hours * 1_000

/** Carries the caller's address from our own reckoning to the list of sessions; never taken from the outside. */
export const addressHeader = 'x-restic-manager-address'

export type SignIn = ReturnType<typeof createSignIn>

/** Begins a session for somebody who has shown all that their account asks for. Never reachable from outside. */
const beginning = (db: Db) => ({
  id: 'begin-session',
  endpoints: {
    beginSession: createAuthEndpoint.serverOnly(
      {
        method: 'POST',
        body: z.object({ operatorId: z.string(), by: z.string(), provedAt: z.date().optional() }),
        requireHeaders: true,
      },
      async ctx => {
        const { user, session } = await beginSession(db, {
          ...ctx.body,
          address: ctx.headers.get(addressHeader) ?? '',
          browser: ctx.headers.get('user-agent'),
          idleSeconds: sessionIdleSeconds,
        })
        await setSessionCookie(ctx, { session, user })
        return { sessionId: session.id }
      },
    ),
  },
})

/**
 * `secret`: what `openAuthSecret` answers. `publicUrl`: the origin that browsers see; on https the cookie's name pins it to this
 * very host.
 */
export function createSignIn({ db, secret, publicUrl }: { db: Db; secret: string; publicUrl: string }) {
  const secure = publicUrl.startsWith('https:')
  return betterAuth({
    appName: 'restic-manager',
    baseURL: publicUrl,
    basePath: '/auth',
    secret,
    telemetry: { enabled: false },
    logger: { disabled: true },
    trustedOrigins: [publicUrl],
    database: keepingHashes(
      drizzleAdapter(db, {
        provider: 'pg',
        transaction: true,
        schema: {
          user: schema.operators,
          session: schema.operatorSessions,
          account: schema.operatorAccounts,
          verification: schema.operatorVerifications,
        },
      }),
    ),
    plugins: [beginning(db)],
    session: {
      expiresIn: sessionIdleSeconds,
      updateAge: 15 * 60,
      cookieCache: { enabled: false },
    },
    // Ours counts in `limits.ts`, before anything of this library runs.
    rateLimit: { enabled: false },
    advanced: {
      cookiePrefix: 'restic-manager',
      // It would put __Secure- before a name of our own; __Host- says more.
      useSecureCookies: false,
      defaultCookieAttributes: { secure, sameSite: 'strict', httpOnly: true, path: '/' },
      cookies: { session_token: { name: secure ? '__Host-restic-manager' : 'restic-manager' } },
      database: { generateId: () => newId() },
      ipAddress: { ipAddressHeaders: [addressHeader] },
    },
  })
}
