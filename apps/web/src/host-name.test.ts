// Promises of names in narrow places.
import { describe, expect, test } from 'vitest'
import { cutHostName, cutMiddle, splitDomain, splitEnd } from './host-name.ts'

describe('a host name for a narrow place', () => {
  test('stays whole when it fits', () =>
    expect(cutHostName('edge-warehouse-gdansk-05')).toBe('edge-warehouse-gdansk-05'))
  test('loses its domain first', () => expect(cutHostName('db1.internal.example.company.net')).toBe('db1'))
  test('then the middle of its first label, never the end', () => {
    const cut = cutHostName('web-cms-legacy-production-staging-07')
    expect(cut).toHaveLength(26)
    expect(cut.startsWith('web-cms')).toBe(true)
    expect(cut.endsWith('staging-07')).toBe(true)
  })
  test('is never cut to nothing', () => {
    expect(cutHostName('../../a-host-that-would-rather-not-be-seen')).toMatch(/^\.\.\/\.\..*-be-seen$/)
    expect(splitDomain('..').label).toBe('..')
  })
  test('gives its domain away before its label, and an address gives nothing', () => {
    expect(splitDomain('pg-billing-02.example.net')).toEqual({
      label: 'pg-billing-02',
      domain: '.example.net',
    })
    expect(splitDomain('10.20.30.40')).toEqual({ label: '10.20.30.40', domain: '' })
    expect(splitDomain('db1.internal.example.company.net')).toEqual({ label: 'db1', domain: '' })
  })
})

test('a name of anything gives its middle away', () => {
  expect(cutMiddle('edge-warehouse-gdansk-07-disk', 18)).toBe('edge-…ansk-07-disk')
  expect(cutMiddle('atlas-disk', 18)).toBe('atlas-disk')
})

describe('a name in two parts', () => {
  test('keeps its end apart, and is the same name again when joined', () => {
    const { head, end } = splitEnd('edge-warehouse-gdansk-07-disk')
    expect(end).toBe('ansk-07-disk')
    expect(head + end).toBe('edge-warehouse-gdansk-07-disk')
  })
  test('is never parted inside the cut that is already there', () => {
    const { head } = splitEnd(cutHostName('web-cms-legacy-production-staging-07'))
    expect(head.endsWith('…')).toBe(true)
  })
  test('stays in one piece when it is short', () =>
    expect(splitEnd('laptop-amelie')).toEqual({ head: '', end: 'laptop-amelie' }))
})
