// What an API key may be made for: areas of the operators' procedures, to read or to change as well.
import type { OperatorRouter } from '@restic-manager/server/operator-api'

/** An area that a key may be given, by the first part of its procedures' names. */
export const keyAreas = {
  hosts: 'Hosts',
  jobs: 'Jobs',
  schedules: 'Schedules',
  repositories: 'Repositories',
  snapshots: 'Snapshots',
  enrolments: 'Adding hosts',
  settings: 'Settings',
  live: 'Changes as they happen',
} as const satisfies Partial<Record<keyof OperatorRouter['_def']['record'], string>>

export type KeyArea = keyof typeof keyAreas
export type Reach = 'none' | 'read' | 'write'

/** Areas without anything to change. */
export const readOnlyAreas: readonly KeyArea[] = ['snapshots', 'live']

/** The scopes of a choice. Who changes something reads it too. */
export const scopesOf = (chosen: Record<KeyArea, Reach>): string[] =>
  (Object.entries(chosen) as [KeyArea, Reach][]).flatMap(([area, reach]) =>
    reach === 'none' ? [] : reach === 'read' ? [`${area}:read`] : [`${area}:read`, `${area}:write`],
  )

/** Scopes in words: "Everything", or "Jobs, changes Hosts". */
export function scopeWords(scopes: readonly string[]): string {
  if (scopes.includes('*')) return 'Everything its operator may'
  const areas = new Set(scopes.map(scope => scope.split(':')[0] ?? ''))
  return [...areas]
    .map(area => {
      const word = Object.hasOwn(keyAreas, area) ? keyAreas[area as KeyArea] : area
      return scopes.includes(`${area}:write`) ? `${word} (read and write)` : `${word} (read)`
    })
    .join(', ')
}
