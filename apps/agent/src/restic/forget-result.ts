// What `forget --json` says would go and stay, and why.
import { asObject, asText, asTexts, parseDocument, type JsonValue } from './messages.ts'

export type ForgetSnapshot = { id: string; time: string; paths: string[] }
/** One group of snapshots. `reasons` has an entry for each one that is kept, in the same order. */
export type ForgetGroup = { keep: ForgetSnapshot[]; remove: ForgetSnapshot[]; reasons: string[][] }

/** Nothing to look at is an empty text and no group. Throws when it is no document. */
export function readForgetResult(document: string): ForgetGroup[] {
  const groups = parseDocument(document) ?? []
  if (!Array.isArray(groups)) throw new Error('restic forget printed something other than a list')
  return groups.map(each => {
    const group = asObject(each)
    return {
      keep: snapshotsIn(group.keep),
      remove: snapshotsIn(group.remove),
      reasons: list(group.reasons).map(reason => asTexts(asObject(reason).matches)),
    }
  })
}

/** An old restic leaves the id out of its reasons, so they are told apart by their place. */
function snapshotsIn(value: JsonValue | undefined): ForgetSnapshot[] {
  return list(value).map(each => {
    const { id, time, paths } = asObject(each)
    return { id: asText(id), time: asText(time), paths: asTexts(paths) }
  })
}

const list = (value: JsonValue | undefined): JsonValue[] => (Array.isArray(value) ? value : [])
