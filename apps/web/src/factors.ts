// What an operator shows to the routes of /auth: the second step of a sign-in, a passkey alone, and that it is still them.
import { browserSupportsWebAuthn, startAuthentication, startRegistration } from '@simplewebauthn/browser'
import { ask, AuthProblem, complain } from './session.ts'

/** A factor of an account. `code`: of an authenticator app, or a recovery code. */
export type Way = 'password' | 'code' | 'passkey' | 'provider'

/** What is shown. `ticket` came with the question. */
export type Shown = { password: string } | { code: string } | { ticket: string; passkey: unknown }

/** Whether this browser makes and shows passkeys here. It does so only over TLS, or on the machine itself. */
export const hasPasskeys = (): boolean => browserSupportsWebAuthn()

type Question = Parameters<typeof startAuthentication>[0]['optionsJSON']
type Wish = Parameters<typeof startRegistration>[0]['optionsJSON']

async function readWays(path: string, field: 'needs' | 'ways'): Promise<Way[]> {
  const response = await ask('GET', path)
  if (!response.ok) return complain(response, 'The server could not say what it asks for.')
  return ((await response.json()) as Record<string, Way[] | undefined>)[field] ?? []
}

/** What is still asked for of a sign-in that was begun in this browser; empty when there is none. */
export const readStep = (): Promise<Way[]> => readWays('/auth/step', 'needs')

/** What counts as proof that it is still you; each alone is enough. */
export const readProof = (): Promise<Way[]> => readWays('/auth/prove', 'ways')

async function show(path: string, shown: Shown): Promise<void> {
  const response = await ask('POST', path, shown)
  if (!response.ok) await complain(response, 'That did not work. Try again.')
}

/** The second step of a sign-in. The session begins with it. */
export const showSecond = (shown: Shown): Promise<void> => show('/auth/sign-in/second', shown)

/** Shows again that it is you. */
export const showAgain = (shown: Shown): Promise<void> => show('/auth/prove', shown)

/** Signs in by a passkey of this device alone. */
export const signInByPasskey = async (): Promise<void> => show('/auth/sign-in/passkey', await signByPasskey())

/** Lets the browser sign with a passkey. Throws a sentence when it does not. */
export async function signByPasskey(): Promise<Shown> {
  const response = await ask('POST', '/auth/passkey/ask', {})
  if (!response.ok) return complain(response, 'The server could not ask for a passkey.')
  const { options, ticket } = (await response.json()) as { options: Question; ticket: string }
  const passkey = await startAuthentication({ optionsJSON: options }).catch((error: unknown) =>
    Promise.reject(passkeyProblem(error, options.rpId)),
  )
  return { ticket, passkey }
}

/** Lets the browser make a passkey. Throws a sentence when it does not. */
export async function makePasskey(options: unknown): Promise<Record<string, unknown>> {
  const wish = options as Wish
  const made = await startRegistration({ optionsJSON: wish }).catch((error: unknown) =>
    Promise.reject(passkeyProblem(error, wish.rp.id)),
  )
  return { ...made }
}

/** Browsers say little on purpose, so that a page learns nothing of the device. */
function passkeyProblem(error: unknown, name: string | undefined): AuthProblem {
  const kind = error instanceof Error ? error.name : ''
  if (kind === 'SecurityError' || (name !== undefined && !isNamed(name)))
    return new AuthProblem(`Passkeys of this server are for ${name ?? 'its name'}. Open this page there.`)
  if (kind === 'InvalidStateError')
    return new AuthProblem('This device has a passkey of this account already.')
  if (kind === 'NotAllowedError' || kind === 'AbortError')
    return new AuthProblem(
      'The browser gave no passkey: there is none, it was cancelled or it took too long.',
    )
  return new AuthProblem('The browser could not use a passkey here.')
}

const isNamed = (name: string) => location.hostname === name || location.hostname.endsWith(`.${name}`)
