// Makes any text fit for the wire: bounded, without NUL, without half characters.

/** The text as the contract accepts it, cut to `max` UTF-16 units. */
export function fitText(value: string, max: number): string {
  return value.slice(0, max).replaceAll('\0', '\u{FFFD}').toWellFormed()
}
