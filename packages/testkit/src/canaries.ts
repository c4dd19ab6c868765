// Looks for secrets where none may be: as they are, in any of the forms in which they could slip out, and by what tokens look like.

/** `name`: what a finding says, so that a failing test shows no secret either. */
export type Secret = { name: string; value: string | Buffer }

/** What is shorter stands in a log by chance. */
const shortest = 8

/** Every form in which a secret could slip out: as it is, in an address, in JSON, in hex, and in base64 wherever it stands in what was encoded. */
export function formsOf(value: string | Buffer): string[] {
  const bytes = Buffer.from(value as string)
  if (bytes.length < shortest) throw new Error('this secret is too short to be looked for')
  const inBase64 = [0, 1, 2].flatMap(before => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    // The first and the last characters also hold bits of what stands beside.
    const own = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
    return [own, own.replaceAll('+', '-').replaceAll('/', '_'), encodeURIComponent(own)]
  })
  const hex = bytes.toString('hex')
  const text = bytes.toString('utf8')
  const asText = Buffer.from(text).equals(bytes)
    ? [text, encodeURIComponent(text), encodeURI(text), JSON.stringify(text).slice(1, -1)]
    : []
  return [...new Set([...asText, ...inBase64, hex, hex.toUpperCase()])]
}

/** The names of the secrets that stand in `text` in any form. */
export const findSecrets = (text: string, secrets: readonly Secret[]): string[] =>
  secrets.filter(({ value }) => formsOf(value).some(form => text.includes(form))).map(({ name }) => name)

const tokens: Record<string, RegExp> = {
  'an API key or an enrolment token': /\brm[kj]_[\w-]{43}/,
  'a bearer': /\bbearer +[\w.~+/-]{20,}/i,
  'a session cookie': /\brestic-manager(-step|-away)?=[\w.%-]{20,}/,
  'the secret of a link': /\/(setup|invitation)#[\w-]{20,}/,
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY|MC4CAQAwBQYDK2VwBCIEI/,
}

/** What looks like a token of ours in `text`, whoever made it. */
export const findTokens = (text: string): string[] =>
  Object.keys(tokens).filter(name => tokens[name]?.test(text))

/** Throws a sentence that names every secret and token in what was written, and shows none. Secrets that are too short are left out. */
export function refuseSecrets(where: string, text: string, secrets: readonly Secret[] = []): void {
  const long = secrets.filter(({ value }) => Buffer.byteLength(value) >= shortest)
  const found = [...findTokens(text), ...findSecrets(text, long)]
  if (found.length > 0) throw new Error(`${where} shows ${found.join(', ')}.`)
}
