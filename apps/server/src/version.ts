// Which version this is, as the package says, and how versions compare.
import manifest from '../package.json' with { type: 'json' }

/** The server's version, `1.2.3`. */
export const version: string = manifest.version

/** Whether `version` comes before `other`. What is no version, or not known, is older than nothing. A `1.2.3-beta` comes before `1.2.3`. */
export function isOlderVersion(version: string | null, other: string): boolean {
  const [a, b] = [partsOf(version ?? ''), partsOf(other)]
  if (a === null || b === null) return false
  const at = a.numbers.findIndex((part, index) => part !== b.numbers[index])
  if (at === -1) return a.isPreview && !b.isPreview
  return (a.numbers[at] ?? 0) < (b.numbers[at] ?? 0)
}

function partsOf(version: string) {
  const found = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-)?/.exec(version)
  return found && { numbers: found.slice(1, 4).map(Number), isPreview: found[4] !== undefined }
}
