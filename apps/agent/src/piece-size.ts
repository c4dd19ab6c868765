// How much of a log goes at once: little on a slow link, so that facts and heartbeats behind it do not wait for long.

/** A piece should be answered within this time; one answered in a fifth of it may be larger. */
const mostMs = 1_000
const leastBytes = 4 * 1024
const firstBytes = 16 * 1024

export type PieceSize = {
  bytes(): number
  /** A piece was answered after so long. */
  answered(ms: number): void
  /** There was no answer in time. */
  unanswered(): void
}

/** Begins small on every connection and finds out what the link can do. `mostBytes`: what the server wants at most. */
export function createPieceSize(mostBytes: number): PieceSize {
  let bytes = Math.min(firstBytes, mostBytes)
  const smaller = (by: number) => (bytes = Math.min(mostBytes, Math.max(leastBytes, Math.round(bytes / by))))
  return {
    bytes: () => bytes,
    answered(ms) {
      if (ms > mostMs) smaller(2)
      else if (ms < mostMs / 5) bytes = Math.min(mostBytes, bytes * 2)
    },
    unanswered: () => void smaller(4),
  }
}
