// On which line of a JSON text each value stands, for sentences that lead a person there. `JSON.parse` tells neither that nor a key said twice.

export type JsonLines = {
  /** By path, such as `repositories.1`; the whole is under the empty path. */
  lines: ReadonlyMap<string, number>
  /** Why the text is no JSON, or says a key twice: the first such place. */
  fault?: { line: number; says: string }
}

const tokens = {
  space: /[ \t\r\n]*/y,
  string: /"(?:[^"\\\r\n]|\\.)*"/y,
  plain: /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y,
}

class Fault extends Error {}

/** Reads a text from its beginning to its end, or to the first thing that is wrong. Never throws. */
export function readJsonLines(text: string): JsonLines {
  const lines = new Map<string, number>()
  const lineAt = (place: number) => text.slice(0, place).split('\n').length
  let at = 0
  const take = (token: RegExp): string | undefined => {
    token.lastIndex = at
    const [found] = token.exec(text) ?? []
    at += found?.length ?? 0
    return found
  }
  const next = () => {
    take(tokens.space)
    return text[at]
  }
  const found = () => (next() === undefined ? 'the end' : JSON.stringify(text[at]))
  const expect = (words: string): never => {
    throw new Fault(`expected ${words}, found ${found()}`)
  }
  const values: Record<string, (path: string) => void> = {
    '{': readEntries,
    '[': readItems,
    '"': () => void readText('a text that ends in double quotes on its line'),
  }

  function readText(words: string): string {
    const start = at
    const token = take(tokens.string)
    const text = token === undefined ? undefined : textOf(token)
    if (text !== undefined) return text
    at = start
    return expect(words)
  }
  function readValue(path: string): void {
    const read = values[next() ?? '']
    lines.set(path, lineAt(at))
    if (read !== undefined) read(path)
    else if (take(tokens.plain) === undefined) expect('a value')
  }
  function readList(ending: string, readOne: (place: number) => void): void {
    at += 1
    if (next() !== ending)
      for (let place = 0; ; place += 1) {
        readOne(place)
        if (next() !== ',') break
        at += 1
      }
    if (next() !== ending) expect(`a comma or ${ending}`)
    at += 1
  }
  function readItems(path: string): void {
    readList(']', place => readValue(join(path, String(place))))
  }
  function readEntries(path: string): void {
    const known = new Map<string, number>()
    readList('}', () => {
      next()
      const line = lineAt(at)
      const key = readText('a key in double quotes')
      const before = known.get(key)
      if (before !== undefined)
        throw new Fault(`says ${JSON.stringify(key)} again, after line ${before}: once is accepted`)
      known.set(key, line)
      if (next() !== ':') expect('a colon')
      at += 1
      readValue(join(path, key))
    })
  }

  try {
    readValue('')
    if (next() !== undefined) expect('nothing more')
    return { lines }
  } catch (error) {
    const says = error instanceof Fault ? error.message : 'is too deep'
    return { lines, fault: { line: lineAt(at), says } }
  }
}

const join = (path: string, step: string) => (path === '' ? step : `${path}.${step}`)

function textOf(token: string): string | undefined {
  try {
    return JSON.parse(token) as string
  } catch {
    return undefined
  }
}
