// Lets a backup stand back behind the other work of its host, and leaves out what host or restic cannot do.
import { existsSync } from 'node:fs'
import type { BackupSpec } from '@restic-manager/contract/command'
import { capabilitiesOf } from '../restic/version.ts'
import type { WarningList } from './warnings.ts'

type Options = NonNullable<BackupSpec['options']>

/** The programs that become restic with another priority. One that this host does not have is left out, with a warning. */
export function findPriority(
  { nice, ionice }: Pick<Options, 'nice' | 'ionice'>,
  warnings: WarningList,
): string[] {
  const found = (name: string) => [`/usr/bin/${name}`, `/bin/${name}`].find(path => existsSync(path))
  const words = (name: string, flags: string[]) => {
    const path = found(name)
    if (path !== undefined) return [path, ...flags]
    warnings.add(
      `${name}_missing`,
      `There is no program ${name} on this host. The backup ran without that limit.`,
    )
    return []
  }
  return [
    ...(nice === undefined ? [] : words('nice', ['-n', String(nice)])),
    ...(ionice === undefined ? [] : words('ionice', ionice === 'idle' ? ['-c3'] : ['-c2', '-n7'])),
  ]
}

/** The options without those that this restic does not know, each with a warning. */
export function withinReach(options: Options, version: string, warnings: WarningList): Options {
  const { readConcurrency, ...rest } = options
  if (readConcurrency === undefined || capabilitiesOf(version).readConcurrency) return options
  warnings.add(
    'too_old',
    `restic ${version} cannot read several files at once, 0.15 and newer can. The option was left out.`,
  )
  return rest
}
