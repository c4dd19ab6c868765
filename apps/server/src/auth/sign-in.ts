// E-mail and password sign-in: better-auth on our tables, with only what we use of it.
import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { newId } from '@restic-manager/contract/ids'
import type { Db } from '../db/open.ts'
import * as schema from '../db/schema-operators.ts'
import type { Seal } from '../db/seal.ts'

const hours = 3_600

/** A session nobody used for this long has ended. In seconds. */
export const sessionIdleSeconds = 12 * hours
/** No session is older than this, however busy. In milliseconds. */
export const sessionLifeMs = 7 * 24 * hours * 1_000
export const shortestPassword = 10
export const longestPassword = 128

/** Carries the caller's address from our own reckoning to the rate limit; never taken from the outside. */
export const addressHeader = 'x-restic-manager-address'

export type SignIn = ReturnType<typeof createSignIn>

/** `publicUrl`: the origin that browsers see. On https the cookie's name pins it to this very host. */
export function createSignIn({ db, seal, publicUrl }: { db: Db; seal: Seal; publicUrl: string }) {
  const secure = publicUrl.startsWith('https:')
  return betterAuth({
    appName: 'restic-manager',
    baseURL: publicUrl,
    basePath: '/auth',
    secret: seal.derive('session cookies').toString('base64url'),
    telemetry: { enabled: false },
    logger: { disabled: true },
    trustedOrigins: [publicUrl],
    database: drizzleAdapter(db, {
      provider: 'pg',
      transaction: true,
      schema: {
        user: schema.operators,
        session: schema.operatorSessions,
        account: schema.operatorAccounts,
        verification: schema.operatorVerifications,
        rateLimit: schema.signInLimits,
      },
    }),
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: shortestPassword,
      maxPasswordLength: longestPassword,
    },
    user: { additionalFields: { role: { type: 'string', input: false, required: true } } },
    session: {
      expiresIn: sessionIdleSeconds,
      updateAge: 15 * 60,
      cookieCache: { enabled: false },
    },
    rateLimit: {
      enabled: true,
      storage: 'database',
      window: 60,
      max: 100,
      customRules: { '/sign-in/email': { window: 60, max: 10 } },
    },
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
