// Where the owner of a host lets repositories be: patterns of addresses, and what matches them.
import { backendKinds, backendOf } from './backends.ts'

/** Everything, also every folder of the host. */
const ANYTHING = '**'

/** What a host allows whose owner says nothing of repositories: every storage but folders outside of this one. */
export function usualPatterns(localFolder: string): string[] {
  const away = backendKinds.filter(kind => kind !== 'local').map(kind => `${kind}:**`)
  return [`${localFolder}${localFolder.includes('\\') ? '\\' : '/'}**`, ...away]
}

/** What is wrong with a pattern, as a sentence; undefined when it can be used. */
export function complaintAboutPattern(pattern: string): string | undefined {
  if (pattern === ANYTHING) return undefined
  if (backendOf(pattern) === undefined)
    return `${JSON.stringify(pattern)} must be an absolute path, or begin with ${backendKinds.filter(kind => kind !== 'local').join(':, ')}:.`
  const stars = pattern.indexOf(ANYTHING)
  if (stars !== -1 && (stars !== pattern.length - 2 || !/[:/\\]$/.test(pattern.slice(0, stars))))
    return `${JSON.stringify(pattern)} may have ** only at its end, after a slash or a colon.`
  return undefined
}

/** Whether one of the patterns allows a repository to be there. */
export function isAllowedPlace(patterns: readonly string[], place: string): boolean {
  const address = straightened(place)
  return patterns.some(pattern => matches(pattern, address))
}

function matches(pattern: string, address: string): boolean {
  if (pattern === ANYTHING) return true
  const kind = backendOf(pattern)
  if (kind === undefined || kind !== backendOf(address)) return false
  if (pattern === `${kind}:**`) return true
  if (leadsUp(address)) return false // what leads up again is below nothing
  const straight = straightened(pattern)
  const isOpen = straight.endsWith(ANYTHING)
  const fixed = isOpen ? straight.slice(0, -2) : straight
  const below = !isOpen ? '' : fixed.endsWith('/') ? '(/.*)?' : '.*'
  const steps = (isOpen ? fixed.replace(/\/$/, '') : fixed)
    .split('*')
    .map(part => part.replaceAll(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`))
  // A star never crosses what ends a step, a host name or a user name.
  return new RegExp(`^${steps.join('[^/?#@:]*')}${below}$`, 's').test(address)
}

/** Whether a step of an address is `..`, in any spelling that a storage or Windows reads as one. */
function leadsUp(address: string): boolean {
  let plain = address
  // A mark may be encoded twice. What is encoded more often, or wrongly, no honest address is.
  for (let i = 0; plain.includes('%') && backendOf(address) !== 'local'; i += 1) {
    const decoded = decodedOnce(plain)
    if (decoded === undefined || i > 2) return true
    if (decoded === plain) break
    plain = decoded
  }
  return plain.split(/[:/\\?#]/).some(step => /^[. ]*\.\.[. ]*$/.test(step))
}

function decodedOnce(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** One spelling of an address: slashes that mean nothing are dropped, and Windows knows no capital letters. */
function straightened(address: string): string {
  if (backendOf(address) !== 'local') return address.replaceAll('\\', '/').replace(/\/+$/, '')
  const path = address.replaceAll('\\', '/').replaceAll(/\/(\.?\/)+/g, '/')
  const short = path.length > 1 ? path.replace(/\/\.?$/, '') : path
  return /^[A-Za-z]:/.test(short) ? short.toLowerCase() : short
}

/** The first folder below which a host lets local repositories be made; undefined when it names none. */
export function localFolderOf(repositories: readonly string[]): string | undefined {
  const folder = repositories.find(
    pattern => backendOf(pattern) === 'local' && /^[^*]+[\\/]\*\*$/.test(pattern),
  )
  return folder?.slice(0, -3)
}
