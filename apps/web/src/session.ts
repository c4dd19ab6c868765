// Signing in and out, and the first admin: plain requests, because they make the cookie everything else needs.

import type { RefusalCode } from '@restic-manager/contract/refusal'
import type { Way } from './factors.ts'
import { formatLeft } from './format.ts'

/** Why a request to /auth was turned down, in a sentence for the form. `code`: the server's, where it said no. */
export class AuthProblem extends Error {
  readonly code: RefusalCode | undefined
  constructor(sentence: string, code?: RefusalCode) {
    super(sentence)
    this.name = 'AuthProblem'
    this.code = code
  }
}

/** The server refuses shorter ones. */
export const shortestPassword = 10

/** Asks a route of /auth, with the cookies of this browser. Throws a sentence when nobody answers. */
export async function ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Response> {
  try {
    return await fetch(path, {
      method,
      credentials: 'same-origin',
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    })
  } catch {
    throw new AuthProblem('The server did not answer. Check that it is running, then try again.')
  }
}

type Told = { code?: RefusalCode; message?: string }

/** Throws what the server says of it, or `fallback`. After too many tries it says how long to wait. */
export async function complain(response: Response, fallback: string): Promise<never> {
  const told = (await response.json().catch(() => ({}))) as Told | null
  const seconds = Number(response.headers.get('retry-after'))
  if (response.status === 429 && seconds > 0)
    throw new AuthProblem(`Too many attempts. Wait ${formatLeft(seconds)}, then try again.`, 'too_many')
  const sentence = typeof told?.message === 'string' && told.message !== '' ? told.message : fallback
  throw new AuthProblem(sentence, told?.code)
}

/** The secret after the # of a link, taken out of the address before anything else can see it. Empty: there was none. */
export function takeSecret(): string {
  const secret = location.hash.slice(1)
  if (secret !== '') history.replaceState(history.state, '', location.pathname)
  return secret
}

/** Whether this server still waits for its first admin. */
export async function needsSetUp(): Promise<boolean> {
  const response = await ask('GET', '/auth/setup')
  if (!response.ok) return complain(response, 'The server could not say whether it is set up.')
  const body = (await response.json()) as { needed?: unknown }
  return body.needed === true
}

/** Makes the first admin and signs them in. */
export async function setUp(admin: {
  secret: string
  email: string
  name: string
  password: string
}): Promise<void> {
  const response = await ask('POST', '/auth/setup', admin)
  if (!response.ok)
    await complain(
      response,
      'The first admin could not be made. Open the set-up link from the terminal again.',
    )
}

/** Shows the password. The cookie of a session comes with the answer, or these ways are left, one of which is asked for. */
export async function signIn(email: string, password: string): Promise<Way[]> {
  const response = await ask('POST', '/auth/sign-in/email', { email, password })
  if (!response.ok) return complain(response, 'Signing in did not work. Try again.')
  return ((await response.json()) as { needs?: Way[] }).needs ?? []
}

/** Ends the session on the server. */
export async function signOut(): Promise<void> {
  const response = await ask('POST', '/auth/sign-out', {})
  if (!response.ok && response.status !== 401)
    await complain(response, 'Signing out did not work. Try again.')
}
