// For tests and scripts: the cookie of an operator who signs in anew before what they showed last is no longer fresh.
export type SignedIn = () => Promise<{ cookie: string }>

const signInEveryMs = 4 * 60_000

/** Signs in with a password. */
export const signedIn = (url: string, operator: { email: string; password: string }): SignedIn =>
  keepSignedIn(() => signIn(url, operator))

/** Begins a session with the first call and every few minutes after. While that cannot be done, the last cookie goes on. */
export function keepSignedIn(begin: () => Promise<string>): SignedIn {
  let cookie: Promise<string> | undefined
  let triedAt = -Infinity
  return async () => {
    if (performance.now() - triedAt > signInEveryMs) {
      triedAt = performance.now()
      const before = cookie
      cookie = begin().catch((error: unknown) => {
        triedAt = -Infinity
        if (before === undefined) throw error
        return before
      })
    }
    return { cookie: (await cookie) ?? '' }
  }
}

async function signIn(url: string, operator: { email: string; password: string }): Promise<string> {
  const answer = await fetch(`${url}/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: operator.email, password: operator.password }),
    signal: AbortSignal.timeout(10_000),
  })
  const [cookie] = answer.headers.getSetCookie()
  if (!answer.ok || cookie === undefined)
    throw new Error(`Signing in as ${operator.email} failed: ${answer.status} ${await answer.text()}`)
  return cookie.split(';')[0] ?? ''
}
