// Text of others on a terminal: what would steer it is shown instead of sent to it.

/** One line without control characters, escape sequences, or marks that turn the direction of reading. */
export function plainText(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu,
    '\u{FFFD}',
  )
}
