// What somebody chose lately in the command palette, kept with the tab and apart for each operator.
import { z } from 'zod'

const kinds = ['page', 'host', 'job', 'repository', 'schedule'] as const
/** A place of this page that was gone to. */
export type Recent = { kind: (typeof kinds)[number]; word: string; detail?: string | undefined; href: string }

const MOST = 6
const KEY = 'restic-manager.recent'

/** What a browser keeps may have been written by another version, or by anybody. */
const Kept = z.array(
  z.object({
    kind: z.enum(kinds),
    word: z.string(),
    detail: z.string().optional(),
    href: z.string().regex(/^\/(?![/\\])/),
  }),
)

const keyOf = (operatorId: string) => `${KEY}.${operatorId}`

/** The newest first. Empty where the browser keeps nothing. */
export function readRecent(operatorId: string): Recent[] {
  try {
    return Kept.parse(JSON.parse(sessionStorage.getItem(keyOf(operatorId)) ?? '[]')).slice(0, MOST)
  } catch {
    return []
  }
}

/** Puts a place on top. Once for each place. */
export function keepRecent(operatorId: string, { kind, word, detail, href }: Recent): void {
  const others = readRecent(operatorId).filter(each => each.href !== href)
  try {
    sessionStorage.setItem(
      keyOf(operatorId),
      JSON.stringify([{ kind, word, detail, href }, ...others].slice(0, MOST)),
    )
  } catch {
    // A browser that keeps nothing has no recent places.
  }
}
