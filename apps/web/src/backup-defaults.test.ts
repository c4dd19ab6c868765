// Promises of the pre-filled backup.
import { BackupSpec } from '@restic-manager/contract/command'
import { usualPatterns } from '@restic-manager/contract/policy'
import { expect, test } from 'vitest'
import { defaultExcludes, defaultPaths, excludePresets, hasPreset, togglePreset } from './backup-defaults.ts'

test('the pre-filled backup of every system can be run as it is', () => {
  for (const os of ['linux', 'darwin', 'windows', null])
    expect(
      BackupSpec.safeParse({ paths: defaultPaths({ os, policy: null }), excludes: defaultExcludes }).success,
    ).toBe(true)
})

test('an agent that is not root begins with what its user owns', () => {
  const policy = (folder: string) => ({ hooks: 'off' as const, repositories: usualPatterns(folder) })
  const own = policy('/home/ada/.local/share/restic-manager/repositories')
  expect(defaultPaths({ os: 'linux', policy: own })).toEqual(['/home/ada'])
  expect(defaultPaths({ os: 'linux', policy: policy('/var/backups/restic') })).toEqual(['/etc', '/home'])
})

test('taking a preset out leaves own patterns alone, and putting it back does not double it', () => {
  for (const { patterns } of excludePresets) {
    const without = togglePreset([...defaultExcludes, '*.iso'], patterns)
    expect(hasPreset(without, patterns)).toBe(false)
    expect(without).toContain('*.iso')
    const back = togglePreset(without, patterns)
    expect(new Set(back).size).toBe(back.length)
    expect(hasPreset(back, patterns)).toBe(true)
  }
})
