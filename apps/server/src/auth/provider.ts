// The identity provider: where a browser is sent, and who it says came back. What it answers is checked here and nowhere else.
import * as openid from 'openid-client'
import { z } from 'zod'
import type { ProviderProblem } from '@restic-manager/contract/provider-problems'
import type { Log } from '@restic-manager/runtime/log'
import { isLoopback, type ProviderSettings } from '../config-provider.ts'
import { boundedFetch } from './bounded-fetch.ts'

/** What is kept between the two halves of one sign-in. Nothing of it is known to the browser but `state` and `nonce`. */
export type Departure = {
  state: string
  nonce: string
  verifier: string
  redirectUri: string
  leftAt: number
}

/** Who came back. The issuer and its `subject` are who somebody is; everything in `claims` is only what is said of them. */
export type Arrival = {
  issuer: string
  subject: string
  /** When they last typed a password there or the like; undefined when the provider does not say. */
  authenticatedAt: Date | undefined
  /** Asks the provider for what its first answer left out. Throws a `ProviderFailure`. */
  claims(): Promise<Claims>
}

/** `email` only when the provider confirms it. */
export type Claims = { email: string | undefined; name: string | undefined; groups: readonly string[] }

/** Signing in came to nothing for a reason that has a sentence. `cause`: for the log. */
export class ProviderFailure extends Error {
  readonly problem: ProviderProblem
  constructor(problem: ProviderProblem, cause?: unknown) {
    super(problem, { cause })
    this.problem = problem
  }
}

export type Provider = ReturnType<typeof createProvider>

/** For each question to the provider; a sign-in asks it three times at most. In seconds. */
const patience = 5
/** A clock at the provider may be so wrong. In seconds. */
const skew = 30
/** Keys and addresses of a provider may change while we run. */
const knownForMs = 60 * 60_000

/** Asks the provider nothing until somebody wants to sign in: a server starts without it. */
export function createProvider(settings: ProviderSettings, { log }: { log: Log }) {
  let known: { at: number; config: Promise<openid.Configuration> } | undefined

  /** What the provider says of itself. Askers at once share one question, and a failure is not kept. */
  function discover(): Promise<openid.Configuration> {
    if (known !== undefined && performance.now() - known.at < knownForMs) return known.config
    const config = askForConfiguration(settings).catch((error: unknown) => {
      known = undefined
      log.warn({ issuer: settings.issuer, error: reasonOf(error) }, 'the identity provider cannot be used')
      throw new ProviderFailure('away', error)
    })
    known = { at: performance.now(), config }
    return config
  }

  return {
    settings,
    /** Where to send the browser. `again`: the person has to show who they are even when they are signed in there. */
    async depart(redirectUri: string, { again }: { again: boolean }) {
      const config = await discover()
      const departure: Departure = {
        ...{ state: openid.randomState(), nonce: openid.randomNonce() },
        ...{ verifier: openid.randomPKCECodeVerifier(), redirectUri, leftAt: Date.now() },
      }
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: settings.scopes,
        state: departure.state,
        nonce: departure.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(departure.verifier),
        code_challenge_method: 'S256',
        ...(again && { prompt: 'login', max_age: '0' }),
      })
      // The page follows it: never to a script or a file.
      if (!/^https?:$/.test(url.protocol)) throw new ProviderFailure('away')
      return { url: url.href, departure }
    },
    /** Who came back with the query string `search`. Throws a `ProviderFailure`, and what could not be trusted is logged. */
    async arrive(departure: Departure, search: string): Promise<Arrival> {
      const url = new URL(departure.redirectUri)
      url.search = search
      const config = await discover()
      try {
        const tokens = await openid.authorizationCodeGrant(config, url, {
          pkceCodeVerifier: departure.verifier,
          expectedState: departure.state,
          expectedNonce: departure.nonce,
          idTokenExpected: true,
        })
        const token = tokens.claims()
        if (token === undefined) throw new Error('there is no ID token')
        const { iss, sub, auth_time } = token
        return {
          issuer: iss,
          subject: sub,
          authenticatedAt: auth_time === undefined ? undefined : new Date(auth_time * 1_000),
          claims: () =>
            readClaims(settings, token, () =>
              openid.fetchUserInfo(config, tokens.access_token, sub).catch(fail),
            ),
        }
      } catch (error) {
        return fail(error)
      }
    },
  }

  function fail(error: unknown): never {
    const problem = problemOf(error)
    if (problem !== 'declined')
      log.warn(
        { issuer: settings.issuer, error: reasonOf(error) },
        `a sign-in through the provider failed: ${problem}`,
      )
    throw new ProviderFailure(problem, error)
  }
}

/** Whether somebody showed who they are after they were sent away, as far as clocks can be compared. */
export function isShownAgain({ authenticatedAt }: Arrival, { leftAt }: Departure): boolean {
  return authenticatedAt !== undefined && authenticatedAt.getTime() >= leftAt - skew * 1_000
}

async function askForConfiguration({ issuer, clientId, clientSecret }: ProviderSettings) {
  const url = new URL(issuer)
  const execute = [openid.enableNonRepudiationChecks]
  // The settings let an http address through only when it is on this machine.
  if (url.protocol === 'http:' && isLoopback(url)) execute.push(openid.allowInsecureRequests)
  const config = await openid.discovery(
    url,
    clientId,
    { [openid.clockTolerance]: skew },
    (as, client, body, headers) => {
      const ways = as.token_endpoint_auth_methods_supported
      // The standard's own default is Basic, and a server that takes secrets at all has to take it.
      const way =
        ways === undefined || ways.includes('client_secret_basic') || !ways.includes('client_secret_post')
          ? openid.ClientSecretBasic(clientSecret)
          : openid.ClientSecretPost(clientSecret)
      return way(as, client, body, headers)
    },
    { execute, timeout: patience, [openid.customFetch]: boundedFetch },
  )
  // One address for many tenants would let each of them say who somebody is.
  const said = config.serverMetadata().issuer
  if (URL.parse(said)?.href !== url.href) throw new Error(`it calls itself ${said}`)
  return config
}

const Token = z.object({
  email: z.string().optional().catch(undefined),
  email_verified: z
    .union([z.boolean(), z.enum(['true', 'false']).transform(said => said === 'true')])
    .optional()
    .catch(undefined),
  name: z.string().optional().catch(undefined),
})
const Groups = z.union([z.string().transform(group => [group]), z.array(z.string())])

/** E-mail and confirmation are taken from one answer together: never that of one with the other's. */
async function readClaims(
  { groupsClaim, groupRoles }: ProviderSettings,
  token: Record<string, unknown>,
  ask: () => Promise<Record<string, unknown>>,
): Promise<Claims> {
  const first = Token.parse(token)
  const isWhole =
    first.email !== undefined &&
    first.email_verified !== undefined &&
    (groupRoles.length === 0 || token[groupsClaim] !== undefined)
  const more = isWhole ? {} : await ask()
  const answers = [first, Token.parse(more)]
  const { email } =
    answers.find(({ email, email_verified }) => email !== undefined && email_verified === true) ?? {}
  return {
    email,
    name: answers.find(({ name }) => name !== undefined)?.name,
    groups: Groups.catch([]).parse(token[groupsClaim] ?? more[groupsClaim]),
  }
}

function problemOf(error: unknown): ProviderProblem {
  if (error instanceof ProviderFailure) return error.problem
  if (error instanceof openid.AuthorizationResponseError)
    return /^(?:server_error|temporarily_unavailable)$/.test(error.error) ? 'away' : 'declined'
  const { code } = error as { code?: unknown }
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return 'away'
  const status =
    error instanceof openid.ClientError && error.cause instanceof Response ? error.cause.status : 0
  if (status >= 500) return 'away'
  // What fetch throws when nobody answers.
  return error instanceof TypeError && error.cause instanceof Error ? 'away' : 'refused'
}

/** A line for the log: never a token, a code or what a person is called. */
function reasonOf(error: unknown): string {
  const parts: string[] = []
  for (let at = error; at instanceof Error && parts.length < 4; at = at.cause) {
    const { code } = at as { code?: unknown }
    parts.push(
      typeof code === 'string' && !at.message.includes(code) ? `${at.message} (${code})` : at.message,
    )
  }
  return parts.join(': ').slice(0, 500)
}
