// How the link to the server stands, kept where `agent status` can read it while the agent runs and after it ended.
import { z } from 'zod'
import { readMeta, writeMeta } from './state.ts'
import type { Store } from './store.ts'

export const LinkStatus = z.object({
  state: z.enum(['connecting', 'connected', 'waiting', 'refused', 'stopped']),
  since: z.iso.datetime(),
  /** Why it is not connected, for a person. */
  why: z.string().optional(),
  lastContactAt: z.iso.datetime().optional(),
  serverVersion: z.string().optional(),
  resticVersion: z.string().nullable(),
})
export type LinkStatus = z.infer<typeof LinkStatus>

/** What was written down last; undefined when nothing was. */
export function readLinkStatus(store: Store): LinkStatus | undefined {
  const text = readMeta(store, 'link')
  return text === undefined ? undefined : LinkStatus.parse(JSON.parse(text))
}

/** Writes down what changed, if the disk takes it: a status is no reason to stop. */
export function noteLink(store: Store, change: Partial<Omit<LinkStatus, 'since'>>): void {
  try {
    writeLink(store, change)
  } catch {
    // A full disk is in the log already, wherever something was to be written that matters.
  }
}

function writeLink(store: Store, change: Partial<Omit<LinkStatus, 'since'>>): void {
  const before = readLinkStatus(store)
  const changed = change.state !== undefined && change.state !== before?.state
  const { why: _, ...kept } = before ?? { state: 'connecting' as const, resticVersion: null }
  const why = 'why' in change || changed ? change.why : before?.why
  const after: LinkStatus = {
    ...kept,
    ...change,
    since: changed || before === undefined ? new Date().toISOString() : before.since,
  }
  if (why === undefined) delete after.why
  else after.why = why
  writeMeta(store, 'link', JSON.stringify(after))
}
