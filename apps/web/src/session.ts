// Signing in and out, and the first admin: plain requests, because they make the cookie everything else needs.

/** Why a request to /auth was turned down, in a sentence for the form. */
export class AuthProblem extends Error {
  readonly field: 'password' | 'form'
  constructor(sentence: string, field: 'password' | 'form' = 'form') {
    super(sentence)
    this.name = 'AuthProblem'
    this.field = field
  }
}

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

async function sentenceOf(response: Response): Promise<string | undefined> {
  const body: unknown = await response.json().catch(() => undefined)
  if (typeof body !== 'object' || body === null || !('message' in body)) return undefined
  return typeof body.message === 'string' && body.message !== '' ? body.message : undefined
}

/** Throws what the server says of it, or `fallback`. */
export async function complain(response: Response, fallback: string): Promise<never> {
  if (response.status === 429) throw new AuthProblem('Too many attempts. Wait a minute, then try again.')
  throw new AuthProblem((await sentenceOf(response)) ?? fallback)
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

/** Starts a session; the cookie comes with the answer. */
export async function signIn(email: string, password: string): Promise<void> {
  const response = await ask('POST', '/auth/sign-in/email', { email, password })
  if (response.ok) return
  if (response.status === 401) throw new AuthProblem('E-mail or password is wrong.', 'password')
  await complain(response, 'Signing in did not work. Try again.')
}

/** Ends the session on the server. */
export async function signOut(): Promise<void> {
  const response = await ask('POST', '/auth/sign-out', {})
  if (!response.ok && response.status !== 401)
    await complain(response, 'Signing out did not work. Try again.')
}
