// What this host lets a server do. It stands in a file of the host's owner, which the server cannot change.
import { accessSync, constants, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { PolicySummary } from '@restic-manager/contract/agent'
import { usualPatterns } from '@restic-manager/contract/policy'
import { readFileIfThere } from './files.ts'
import { readPolicyText } from './policy-file.ts'
import { fitText } from './restic/fit-text.ts'
import { complaintAboutTrust } from './trusted-path.ts'

export type HostPolicy = {
  file: string
  /** Whether there is such a file. Without one nothing beyond plain restic is allowed, and local repositories in one folder. */
  found: boolean
  /** Why the file is not followed, as a sentence. Nothing is allowed then: no job runs. */
  problem?: string
  /** `listed`: the programs in the folder of hooks. `inline`: also the text of scripts that the server sends. */
  hooks: PolicySummary['hooks']
  hooksFolder: string
  /** Patterns of the addresses a repository may have. */
  repositories: readonly string[]
  /** Names a server may set for a storage, of those that the storage takes. Undefined: all of these. */
  environment?: readonly string[] | undefined
  /** Limits of every restic, whatever the server says. KiB per second. */
  uploadKibps?: number | undefined
  downloadKibps?: number | undefined
  /** Where a restore may write, and whether it may write over what is there. */
  restore: NonNullable<PolicySummary['restore']>
}

/** What holds where the file says nothing. `knownPlaces`: folders that were repositories before there were rules for them. */
export type UsualPolicy = { localFolder: string; restoreRoot: string; knownPlaces?: readonly string[] }

const MAX_NAMES = 200
const hookName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Where the file lies when nobody says otherwise. */
export function defaultPolicyFile(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string {
  if (platform === 'win32') return `${env.ProgramData ?? 'C:\\ProgramData'}\\restic-manager\\policy.json`
  if (platform === 'darwin') return '/Library/Application Support/restic-manager/policy.json'
  return '/etc/restic-manager/policy.json'
}

/** The one folder for local repositories where the file says nothing of them. It is not of the agent's own records: those may be thrown away. */
export function usualLocalFolder(
  platform: NodeJS.Platform = process.platform,
  uid = process.getuid?.(),
  home = homedir(),
): string {
  if (platform === 'win32') return 'C:\\backups'
  return uid === 0 ? '/var/backups/restic' : join(home, '.local/share/restic-manager/repositories')
}

/** Reads the file. One that cannot be followed allows nothing, and `problem` says why. Never throws. */
export function readHostPolicy(file: string, usual: UsualPolicy): HostPolicy {
  const hooksFolder = join(dirname(file), 'hooks')
  const refused = (problem: string): HostPolicy => ({
    ...{ file, found: true, problem, hooks: 'off', hooksFolder },
    ...{ repositories: [], environment: [], restore: { roots: [], inPlace: false } },
  })
  try {
    const text = readFileIfThere(file)
    if (text === undefined && lstatSync(file, { throwIfNoEntry: false }) !== undefined)
      return refused(`${file} is a link that leads nowhere.`)
    const distrust = text === undefined ? undefined : complaintAboutTrust(file)
    if (distrust !== undefined) return refused(distrust)
    const read = readPolicyText(file, text ?? '{}')
    if ('complaint' in read) return refused(read.complaint)
    const { said } = read
    const { restoreRoots, restoreInPlace, ...rest } = said
    return {
      ...rest,
      ...{ file, found: text !== undefined },
      hooks: said.hooks ?? 'off',
      hooksFolder: said.hooksFolder ?? hooksFolder,
      repositories: said.repositories ?? [...usualPatterns(usual.localFolder), ...(usual.knownPlaces ?? [])],
      restore: { roots: restoreRoots ?? [usual.restoreRoot], inPlace: restoreInPlace ?? false },
    }
  } catch (error) {
    return refused(`${file} cannot be read: ${(error as Error).message}.`)
  }
}

/** What the server learns of it, so that the page offers only what can run. Looks at the folder of hooks anew. */
export function policySummary(policy: HostPolicy): PolicySummary {
  const { file, found, hooks, repositories, environment, uploadKibps, downloadKibps, restore, problem } =
    policy
  return {
    ...{ file: fitText(file, 4_096), found, hooks },
    ...(hooks === 'off' ? {} : { hookNames: hookNamesIn(policy) }),
    repositories: [...repositories],
    ...(environment === undefined ? {} : { environment: [...environment] }),
    ...(uploadKibps === undefined ? {} : { uploadKibps }),
    ...(downloadKibps === undefined ? {} : { downloadKibps }),
    restore,
    ...(problem === undefined ? {} : { problem: fitText(problem, 2_000) }),
  }
}

/** The program a name stands for, or why it must not run, as a sentence. */
export function findHookProgram(
  { hooksFolder }: HostPolicy,
  name: string,
): { path: string } | { complaint: string } {
  if (!hookName.test(name)) return { complaint: `${JSON.stringify(name)} is no name of a hook.` }
  try {
    const path = realpathSync(join(hooksFolder, name))
    if (dirname(path) !== realpathSync(hooksFolder))
      return { complaint: `${name} leads out of the folder of hooks, to ${path}.` }
    if (!statSync(path).isFile()) return { complaint: `${path} is no file.` }
    const distrust = complaintAboutTrust(join(hooksFolder, name))
    if (distrust !== undefined) return { complaint: distrust }
    accessSync(path, constants.X_OK)
    return { path }
  } catch (error) {
    return { complaint: `${join(hooksFolder, name)} cannot be run: ${(error as Error).message}.` }
  }
}

function hookNamesIn(policy: HostPolicy): string[] {
  const names = filesIn(policy.hooksFolder)
  return names.filter(name => 'path' in findHookProgram(policy, name)).slice(0, MAX_NAMES)
}

/** Why files in the folder of hooks are not run, a sentence each. */
export function complaintsAboutHooksFolder(policy: HostPolicy): string[] {
  if (policy.hooks === 'off') return []
  return filesIn(policy.hooksFolder).flatMap(name => {
    const found = findHookProgram(policy, name)
    return 'complaint' in found ? [found.complaint] : []
  })
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return [] // no folder, no hooks
  }
}
