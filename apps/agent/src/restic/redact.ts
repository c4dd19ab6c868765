// Takes secrets out of what restic says, before anyone sees it.

export type Redact = (text: string) => string

const MASK = '***'
/** Shorter secrets would take ordinary words and numbers apart. */
const MIN_NEEDLE = 4
/** What stands before the @ of a URL, however it got there. */
const userinfo = /\/\/[^/@\s"]+@/g

/** A function that masks the secrets in every spelling restic or a library may print them in, and URL credentials. */
export function makeRedactor(secrets: readonly string[]): Redact {
  const needles = [...new Set(secrets.flatMap(spellings))]
    .filter(needle => needle.length >= MIN_NEEDLE)
    .toSorted((a, b) => b.length - a.length)
  const known = needles.length > 0 ? new RegExp(needles.map(RegExp.escape).join('|'), 'g') : undefined
  return text => {
    const masked = known === undefined ? text : text.replace(known, MASK)
    return masked.includes('@') ? masked.replace(userinfo, `//${MASK}@`) : masked
  }
}

/** Removes from the end of a cut line what may be the beginning of a secret. */
export function makeTailTrimmer(secrets: readonly string[]): Redact {
  const needles = [...new Set(secrets.flatMap(spellings))].filter(needle => needle.length >= MIN_NEEDLE)
  return text => {
    let end = text.length
    for (const needle of needles)
      for (let length = Math.min(needle.length - 1, text.length); length > 0; length -= 1)
        if (text.endsWith(needle.slice(0, length))) {
          end = Math.min(end, text.length - length)
          break
        }
    return text.slice(0, end)
  }
}

function spellings(secret: string): string[] {
  // Lines are looked at one by one, so a secret of several lines is looked for line by line.
  return [secret, ...secret.split(/\r?\n/)].flatMap(part => {
    const encoded = encodeURIComponent(part)
    const quoted = JSON.stringify(part).slice(1, -1)
    return [
      part,
      encoded,
      encoded.replace(/%[0-9A-F]{2}/g, hex => hex.toLowerCase()),
      encoded.replaceAll('%20', '+'),
      // How Go writes the user part of a URL: some marks stay as they are.
      encoded
        .replace(/%(24|26|2B|2C|3B|3D)/g, hex => decodeURIComponent(hex))
        .replace(/[!'()*]/g, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`),
      quoted,
      quoted.replace(/[<>&]/g, mark => `\\u00${mark.charCodeAt(0).toString(16)}`),
      Buffer.from(part).toString('base64'),
      Buffer.from(part).toString('base64url'),
    ]
  })
}
