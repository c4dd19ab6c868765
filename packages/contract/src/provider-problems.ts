// Why signing in through the identity provider came to nothing: a word in the address that the browser is sent back to, and its sentence.

/** Sentences by the word in `?problem=`. The page shows these and nothing else, whatever an address says. */
export const providerProblems = {
  away: 'The identity provider does not answer. Try again in a moment, or sign in with your password.',
  declined: 'Nobody was signed in at the identity provider. Try again, or sign in with your password.',
  over: 'This took too long, or was begun in another browser or tab. Begin again.',
  refused:
    'The answer of the identity provider could not be trusted, so nobody was signed in. The log of the server says what was wrong with it.',
  unknown: 'Nobody let you in here yet. Ask an admin to invite you, with the e-mail that you sign in with.',
  unverified:
    'The identity provider does not confirm your e-mail, so it counts for nothing here. Open the link of your invitation and sign in from there.',
  taken:
    'There is an account with your e-mail already. Sign in to it as before, and link the identity provider on your account page.',
  groups: 'None of your groups at the identity provider may use this server. Ask its admin.',
  invitation: 'This invitation was used, revoked or is over. Ask for a new one.',
  'not fresh':
    'The identity provider did not ask you to sign in again, so this does not count as proof. Try again.',
  'another person':
    'You signed in at the identity provider as somebody else than the one this account is linked with.',
  'linked elsewhere': 'This person of the identity provider is linked with another account here.',
  'linked already': 'This account is linked with another person of the identity provider. Unlink that first.',
  'signed out': 'Your session ended in the meantime. Sign in and try again.',
} as const

export type ProviderProblem = keyof typeof providerProblems
