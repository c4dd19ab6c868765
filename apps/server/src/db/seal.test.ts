// What the seal promises: without the key, or in another place, a sealed text is nothing.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { makeSeal } from './seal.ts'
import type { SealPlace } from './sealed-columns.ts'

const place: SealPlace = { table: 'credentials', row: '0199', column: 'sealed' }

describe('a sealed text', () => {
  const seal = makeSeal(randomBytes(32))

  test('opens to what it was, in any language and of any length', () => {
    for (const plain of ['', 'geheim', 'пароль 🔑', 'x'.repeat(100_000)])
      expect(seal.open(seal.seal(plain, place), place).reveal()).toBe(plain)
  })

  test('looks different each time and holds nothing of the secret', () => {
    const [one, two] = [seal.seal('canary-4711', place), seal.seal('canary-4711', place)]
    expect(one).not.toBe(two)
    expect(one).toMatch(/^rm1\./)
    expect(Buffer.from(one, 'base64').includes('canary')).toBe(false)
  })

  test.each<SealPlace>([
    { ...place, table: 'settings' },
    { ...place, row: '0200' },
    { ...place, column: 'secret' },
  ])('does not open as %o', elsewhere => {
    expect(() => seal.open(seal.seal('geheim', place), elsewhere)).toThrow('moved from another place')
  })

  test('does not open when any of its characters was changed', () => {
    const sealed = seal.seal('geheim', place)
    const parts = (text: string) =>
      text.split('.').map(part => Buffer.from(part, 'base64url').toString('hex'))
    const changed = Array.from(
      sealed,
      (char, at) => sealed.slice(0, at) + (char === 'A' ? 'B' : 'A') + sealed.slice(at + 1),
    )
      // The last character of base64url may hold bits that mean nothing.
      .filter(text => parts(text).join('.') !== parts(sealed).join('.'))
    const opens = changed.filter(text => {
      try {
        return seal.open(text, place) !== undefined
      } catch {
        return false
      }
    })
    expect(changed.length).toBeGreaterThan(sealed.length - 4)
    expect(opens).toEqual([])
  })

  test('opens with a key of before, and wrapped anew only with the new one, while its box stays as it is', () => {
    const [old, next] = [randomBytes(32), randomBytes(32)]
    const both = makeSeal(next, [old])
    const before = makeSeal(old).seal('geheim', place)
    expect(both.open(before, place).reveal()).toBe('geheim')

    const after = both.rewrap(before, place)
    expect(makeSeal(next).open(after, place).reveal()).toBe('geheim')
    expect(() => makeSeal(old).open(after, place)).toThrow('another key')
    expect(after.split('.').at(-1)).toBe(before.split('.').at(-1))
    expect(() => both.rewrap(before, { ...place, row: '0200' })).toThrow('moved from another place')
  })

  test('does not open with another key, and says that it is the key', () => {
    expect(() => makeSeal(randomBytes(32)).open(seal.seal('geheim', place), place)).toThrow('another key')
  })
})
