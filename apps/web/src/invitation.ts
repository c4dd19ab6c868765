// The requests behind the link of an invitation.
import { Role } from '@restic-manager/contract/role'
import { ask, AuthProblem, complain } from './session.ts'

/** For whom the link was made, and what they will be. Throws a sentence when it was used, revoked or is over. */
export async function readInvitation(secret: string): Promise<{ email: string; role: Role }> {
  const response = await ask('POST', '/auth/invitation', { secret })
  if (!response.ok) return complain(response, 'The server could not read this invitation.')
  const { email, role } = (await response.json()) as { email: string; role: unknown }
  const known = Role.safeParse(role).data
  if (known === undefined) throw new AuthProblem('This page is older than the server. Load it again.')
  return { email, role: known }
}

/** Makes the account and signs it in. */
export async function acceptInvitation(wish: {
  secret: string
  name: string
  password: string
}): Promise<void> {
  const response = await ask('POST', '/auth/invitation/accept', wish)
  if (!response.ok) await complain(response, 'The account could not be made. Try again.')
}
