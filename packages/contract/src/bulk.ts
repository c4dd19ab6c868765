// Acts on many hosts at once: what operators send, and how far such an act has come.
import { z } from 'zod'
import { Id } from './ids.ts'
import { HostFilter, pauseFields, Tag } from './requests.ts'

/** What is done with each host. `run`: its backup schedules that are not paused, once, now. */
export const BulkKind = z.enum(['pause', 'resume', 'run', 'addTag', 'removeTag'])
export type BulkKind = z.infer<typeof BulkKind>

/** Either `hostIds`, or everything that matches `filter`: then `total` is what the operator saw, and another number is refused. */
const which = {
  hostIds: z.array(Id).min(1).max(1_000).optional(),
  filter: z.object(HostFilter).optional(),
  total: z.int().min(0).optional(),
}

/** Begins. A repeat with the same request id begins nothing. */
export const HostBulkRequest = z.object({
  requestId: Id,
  kind: BulkKind.extract(['pause', 'resume', 'run']),
  ...which,
  ...pauseFields,
})
/** Puts a tag on hosts, or takes it off them. */
export const HostBulkTagRequest = z.object({
  requestId: Id,
  kind: BulkKind.extract(['addTag', 'removeTag']),
  tag: Tag,
  ...which,
})
/** Asks what an act would do, before it is begun. */
export const HostBulkPreviewRequest = z.object({ kind: BulkKind, tag: Tag.optional(), ...which })
export const HostBulkProgressRequest = z.object({ requestId: Id })

/** What an act would come to: of `hosts`, `already` are so already or have nothing to run. */
export const BulkPreview = z.object({ hosts: z.number(), already: z.number(), schedules: z.number() })
export type BulkPreview = z.infer<typeof BulkPreview>

/** How far an act has come. `refused` counts hosts on which it could not be done; `why` tells of the first few. */
export const BulkProgress = z.object({
  kind: BulkKind,
  hosts: z.number(),
  done: z.number(),
  changed: z.number(),
  already: z.number(),
  refused: z.number(),
  why: z.array(z.object({ hostId: Id, hostName: z.string(), sentence: z.string() })),
  finishedAt: z.date().nullable(),
})
export type BulkProgress = z.infer<typeof BulkProgress>

/** A tag, and how many of the hosts one sees have it. */
export const HostTag = z.object({ tag: z.string(), hosts: z.number() })
export type HostTag = z.infer<typeof HostTag>
