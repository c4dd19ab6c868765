// Which statements are worth preparing: those that are asked again and again. Preparing saves a round trip and the planning each time.

export type HotStatements = {
  /** Counts this use. True once the statement is to be prepared. */
  use(query: string): boolean
  /** Nothing is prepared any more: a migration has changed what a prepared statement answers. */
  stop(): void
}

const usual = {
  /** Uses before a statement is prepared. */
  after: 10,
  /** Statements that are prepared at most: each connection keeps every one of them, here and in the database. */
  most: 300,
  /** Statements that are counted. A list of values makes a text of its own for each length. */
  mostCounted: 2_000,
}

/** Remembers texts of statements, so many and no more. */
export function createHotStatements(wish: Partial<typeof usual> = {}): HotStatements {
  const limits = { ...usual, ...wish }
  const hot = new Set<string>()
  let counts = new Map<string, number>()
  let isOver = false
  return {
    use(query) {
      if (isOver) return false
      if (hot.has(query)) return true
      if (hot.size >= limits.most) return false
      const uses = (counts.get(query) ?? 0) + 1
      if (uses > limits.after) {
        counts.delete(query)
        hot.add(query)
        return true
      }
      if (counts.size >= limits.mostCounted) counts = new Map()
      counts.set(query, uses)
      return false
    },
    stop() {
      isOver = true
    },
  }
}
