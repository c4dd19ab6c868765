// Which port a server that chose one by itself says it listens on.
import { createInterface } from 'node:readline'

/** Reads lines until one matches, and answers its first group as a port. Rejects when the output ends before. */
export async function portIn(output: NodeJS.ReadableStream, telling: RegExp): Promise<number> {
  const lines = createInterface({ input: output })
  const seen: string[] = []
  try {
    for await (const line of lines) {
      const [, port] = telling.exec(line) ?? []
      if (port !== undefined) return Number(port)
      seen.push(line)
    }
  } finally {
    // Closing the reader pauses the stream: what comes later must still be read, or the server would stop.
    lines.close()
    output.resume()
  }
  throw new Error(`the server ended before it listened: ${seen.join(' ')}`)
}
