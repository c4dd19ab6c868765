// Which hosts a list, or an act on many of them, is about: by state, by words, by tags.
import { and, arrayContains, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { HostListRequest } from '@restic-manager/contract/requests'
import type { HostState } from '@restic-manager/contract/views'
import { hosts } from '../db/schema.ts'
import { isPausedNow } from './pauses.ts'
import { isLate } from './standing-views.ts'

const isLetIn = and(isNull(hosts.quarantinedAt), isNull(hosts.awaitsApprovalSince))
const isAtWork = and(isLetIn, sql`not ${isPausedNow}`)

/** Hosts in each state. Those that are late are in one of the others too. */
export const inState: Record<HostState | 'late', SQL | undefined> = {
  late: and(isLetIn, isLate),
  online: and(isAtWork, eq(hosts.online, true)),
  offline: and(isAtWork, eq(hosts.online, false)),
  paused: and(isLetIn, isPausedNow),
  waiting: and(isNull(hosts.quarantinedAt), isNotNull(hosts.awaitsApprovalSince)),
  quarantined: isNotNull(hosts.quarantinedAt),
}

type Filter = Partial<Pick<z.infer<typeof HostListRequest>, 'search' | 'state' | 'tags'>>

/** Hosts that match all that is said: each of the tags, the state, and the words in a name or a tag. */
export const hostsMatching = ({ search, state, tags }: Filter): SQL | undefined =>
  and(
    state === undefined ? undefined : inState[state],
    tags === undefined || tags.length === 0 ? undefined : arrayContains(hosts.tags, tags),
    holding(search?.trim() ?? ''),
  )

/** All that a word is looked for in, as one text, which costs half of asking each by itself. Nobody types what stands between. */
const words = sql`lower(concat_ws(chr(31), ${hosts.name}, ${hosts.hostname}, array_to_string(${hosts.tags}, chr(31))))`

function holding(search: string): SQL | undefined {
  if (search === '') return undefined
  const pattern = `%${search.replaceAll(/[\\%_]/g, '\\$&')}%`
  return sql`${words} like lower(${pattern})`
}
