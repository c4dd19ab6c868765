// A secret in memory: whatever prints, logs or serialises it gets a mask, and only `reveal` gives the text.
import { inspect } from 'node:util'

const mask = '[redacted]'

/** A text that must not be shown. Calls of `reveal` are few and listed: see scripts/secrets.test.ts. */
export class Secret {
  // Truly private: no copy, spread, JSON or inspection reaches it.
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself, for the one place that needs it. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return mask
  }

  toJSON(): string {
    return mask
  }

  [Symbol.toPrimitive](): string {
    return mask
  }

  [inspect.custom](): string {
    return mask
  }
}
