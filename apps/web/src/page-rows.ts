// Pages of a list as one run of rows. Pages read at different moments may share a row or miss one between them.

export type Page = { rows: { id: string }[]; nextCursor: string | null }
/** `kept`: not read again with the others, so it may be behind. */
export type Kept<P> = P & { kept: boolean }
export type PageRange = { first: number; last: number }

/** Every row once, and where each page starts. Where a row stands in two pages, the one that is not behind has it. */
export function joinPages<P extends Page>(pages: Kept<P>[]): { rows: P['rows'][number][]; starts: number[] } {
  const fresh = new Set(pages.flatMap(page => (page.kept ? [] : page.rows.map(({ id }) => id))))
  const seen = new Set<string>()
  const rows: P['rows'][number][] = []
  const starts: number[] = []
  for (const page of pages) {
    starts.push(rows.length)
    for (const row of page.rows) {
      if (seen.has(row.id) || (page.kept && fresh.has(row.id))) continue
      seen.add(row.id)
      rows.push(row)
    }
  }
  return { rows, starts }
}

/** The pages that hold the rows from `first` to `last`. */
export const pagesBetween = (starts: number[], first: number, last: number): PageRange => ({
  first: Math.max(
    0,
    starts.findLastIndex(start => start <= first),
  ),
  last: Math.max(
    0,
    starts.findLastIndex(start => start <= last),
  ),
})
