// For tests only: the frames of a WebSocket as they lie in bytes.

/** The texts of whole, unmasked frames. */
export function textsIn(bytes: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at < bytes.length;) {
    const short = bytes[at + 1] ?? 0
    const [length, head] = short === 126 ? [bytes.readUInt16BE(at + 2), 4] : [short, 2]
    texts.push(bytes.toString('utf8', at + head, at + head + length))
    at += head + length
  }
  return texts
}
