// What a new line for hosts is to allow: how many hosts, for how long, with which tags, and whether somebody looks at each.
import { EnrolmentCreateRequest } from '@restic-manager/contract/requests'
import type { EnrolmentView } from '@restic-manager/contract/enrolment'
import { countOf } from './format.ts'

export type JoinWish = { maxUses: number; lifeMinutes: number; tags: string[]; needsApproval: boolean }

/** One host within the hour. Whoever sees hosts with certain tags only gives theirs, or would not see the host. */
export const usualWish = (ownTags: readonly string[] | null): JoinWish => ({
  ...{ maxUses: 1, lifeMinutes: 60, needsApproval: false },
  tags: [...(ownTags ?? [])],
})

/** How long a line may work, in minutes, in the words of the page. */
export const lives: readonly { minutes: number; words: string }[] = [
  { minutes: 15, words: '15 minutes' },
  { minutes: 60, words: '1 hour' },
  { minutes: 8 * 60, words: '8 hours' },
  { minutes: 24 * 60, words: '1 day' },
  { minutes: 7 * 24 * 60, words: '7 days' },
]

/** The wish in a line. */
export function wishInShort({ maxUses, lifeMinutes, tags, needsApproval }: JoinWish): string {
  return [
    countOf(maxUses, 'host'),
    lives.find(({ minutes }) => minutes === lifeMinutes)?.words ?? countOf(lifeMinutes, 'minute'),
    tags.length === 0 ? 'no tags' : tags.join(', '),
    needsApproval ? 'waits for an admin' : 'let in at once',
  ].join(' · ')
}

const { maxUses, tags } = EnrolmentCreateRequest.shape

/** What the server would not take, by field. */
export function wishComplaints(wish: JoinWish): Partial<Record<'maxUses' | 'tags', string>> {
  return {
    ...(maxUses.safeParse(wish.maxUses).success ? {} : { maxUses: 'Between 1 and 1,000.' }),
    ...(tags.safeParse(wish.tags).success
      ? {}
      : { tags: 'Tags may hold letters, digits and . _ : / - only, 60 at most.' }),
  }
}

type Joined = EnrolmentView['hosts'][number]
export type JoinedState = { words: string; tone: 'good' | 'now' | 'warn' }

/** How far one of several hosts has come. */
export function joinedState({
  waitsSince,
  provedAt,
  connectedAt,
  online,
  resticVersion,
}: Joined): JoinedState {
  if (waitsSince !== null) return { words: 'waits for approval', tone: 'warn' }
  if (provedAt === null) return { words: 'its agent has not started yet', tone: 'now' }
  if (connectedAt === null) return { words: 'connects', tone: 'now' }
  if (!online) return { words: 'was here and is offline', tone: 'warn' }
  if (resticVersion === null) return { words: 'online, no restic found', tone: 'warn' }
  return { words: `online, restic ${resticVersion}`, tone: 'good' }
}
