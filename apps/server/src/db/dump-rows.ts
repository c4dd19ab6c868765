// Rows on their way between PostgreSQL and a dump: gathered into blocks, counted, and told apart table by table.
const blockBytes = 64 * 1024
const newline = 0x0a

/** Gathers rows, which may be tiny and many, into blocks. Throws when there are not as many as promised. */
export async function* gatherRows(rows: AsyncIterable<Buffer>, promised: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let size = 0
  let count = 0
  for await (const row of rows) {
    held.push(row)
    size += row.length
    if (row.at(-1) === newline) count += 1
    if (size < blockBytes) continue
    yield Buffer.concat(held, size)
    held = []
    size = 0
  }
  if (count !== promised) throw new Error(`${count} rows came where ${promised} were counted.`)
  if (size > 0) yield Buffer.concat(held, size)
}

/** Takes a stream of rows apart by counting lines: no row as `copy` writes it has a line break inside. */
export function createRowReader(source: AsyncIterable<Buffer>) {
  const chunks = source[Symbol.asyncIterator]()
  let left: Buffer = Buffer.alloc(0)

  /** Whether there is something in `left`. */
  async function fill(): Promise<boolean> {
    while (left.length === 0) {
      const { done, value } = await chunks.next()
      if (done === true) return false
      left = value
    }
    return true
  }

  return {
    /** The bytes of the next `rows` rows. Throws when the stream ends before. */
    async *take(rows: number): AsyncGenerator<Buffer> {
      let missing = rows
      while (missing > 0) {
        if (!(await fill())) throw new Error('The rows end too early.')
        let end = 0
        while (missing > 0 && end < left.length) {
          const at = left.indexOf(newline, end)
          if (at !== -1) missing -= 1
          end = at === -1 ? left.length : at + 1
        }
        yield left.subarray(0, end)
        left = left.subarray(end)
      }
    },
    isAtEnd: async () => !(await fill()),
  }
}
