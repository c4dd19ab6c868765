// What each role may, in a sentence.
import type { Role } from '@restic-manager/contract/role'

export const roleSentences = {
  viewer: 'A viewer looks and changes nothing.',
  operator: 'An operator looks, and runs, cancels, tests and pauses.',
  admin: 'An admin also adds machines and changes what they do, and where to.',
} as const satisfies Record<Role, string>

/** What somebody is limited to, in words. */
export const hostsOf = (tags: readonly string[] | null): string =>
  tags === null ? 'all hosts' : `hosts with ${tags.join(' or ')}`
