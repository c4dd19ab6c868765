// What a query string holds is a stranger's: only what is one of ours is kept.

/** One of the keys of what we know. */
export const keyOf = <T extends string>(words: Record<T, unknown>, value: unknown): T | undefined =>
  typeof value === 'string' && Object.hasOwn(words, value) ? (value as T) : undefined
/** Any text that is not empty. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
/** Several texts, none for nothing at all. */
export const textsOf = (value: unknown): string[] | undefined => {
  const texts = (Array.isArray(value) ? value : [value]).flatMap(each => textOf(each) ?? [])
  return texts.length === 0 ? undefined : texts.slice(0, 50)
}
/** Only a path of this page: anything else could lead a signed-in operator away. */
export const pathOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^\/(?![/\\])/.test(value) ? value : undefined
/** A day as a date field of a browser has it. */
export const dayOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value))
    ? value
    : undefined
