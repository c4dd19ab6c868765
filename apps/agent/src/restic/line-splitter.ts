// Splits what a program prints into lines, in bounded memory, whatever it prints.

const NEWLINE = 0x0a

/** A line without its newline. `droppedBytes` says how much was cut off its end. */
export type RawLine = { text: string; droppedBytes: number }

export type LineSplitter = {
  push(chunk: Uint8Array): void
  /** The stream has ended: what is left is a line too. */
  end(): void
}

/** Calls `onLine` for each line, keeping at most `maxBytes` of it. Lines are cut between characters. */
export function splitLines(maxBytes: number, onLine: (line: RawLine) => void): LineSplitter {
  // Grows to `maxBytes` only when a line is spread over chunks. A newline byte never lies inside a UTF-8 character.
  let kept = Buffer.alloc(0)
  let droppedBytes = 0

  const keep = (piece: Buffer) => {
    const room = maxBytes - kept.length
    if (piece.length > room) droppedBytes += piece.length - Math.max(0, room)
    if (room > 0 && piece.length > 0) kept = Buffer.concat([kept, piece.subarray(0, room)])
  }
  const flush = () => {
    // A last character cut in two is left out.
    const whole = droppedBytes > 0 ? kept.subarray(0, characterEnd(kept)) : kept
    onLine({
      text: cleanLine(whole.toString('utf8')),
      droppedBytes: droppedBytes + kept.length - whole.length,
    })
    kept = Buffer.alloc(0)
    droppedBytes = 0
  }
  return {
    push(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      let from = 0
      for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
        const piece = chunk.subarray(from, at)
        if (kept.length === 0 && droppedBytes === 0 && piece.length <= maxBytes)
          onLine({ text: cleanLine(piece.toString('utf8')), droppedBytes: 0 })
        else {
          keep(piece)
          flush()
        }
        from = at + 1
      }
      keep(chunk.subarray(from))
    },
    end() {
      if (kept.length > 0 || droppedBytes > 0) flush()
    },
  }
}

/** Where the last whole UTF-8 character of the bytes ends. */
function characterEnd(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number
    if ((byte & 0b1100_0000) === 0b1000_0000) continue
    const length = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** Without what restic sends to erase a terminal's line, which it does into pipes too, and without NUL. */
function cleanLine(line: string): string {
  // oxlint-disable-next-line no-control-regex
  return line.replace(/\r|\u001B\[[0-9;]*[A-Za-z]/g, '').replaceAll('\0', '\u{FFFD}')
}
