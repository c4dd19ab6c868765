// What this host lets a server do. It stands in a file of the host's owner, which the server cannot change.
import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { PolicySummary } from '@restic-manager/contract/agent'
import { z } from 'zod'
import { readFileIfThere } from './files.ts'
import { complaintAboutTrust } from './trusted-path.ts'

export type HostPolicy = {
  file: string
  /** Whether there is such a file. Without one nothing beyond plain restic is allowed. */
  found: boolean
  /** Why the file is not followed, as a sentence. Nothing is allowed then. */
  problem?: string
  /** `listed`: the programs in the folder of hooks. `inline`: also the text of scripts that the server sends. */
  hooks: PolicySummary['hooks']
  hooksFolder: string
}

const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path')

/** Strict: a word this agent does not know may be a limit it would not keep. */
const PolicyFile = z.strictObject({
  hooks: z.enum(['off', 'listed', 'inline']).optional(),
  hooksFolder: absolutePath.optional(),
})

const MAX_NAMES = 200
const hookName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Where the file lies when nobody says otherwise. */
export function defaultPolicyFile(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string {
  if (platform === 'win32') return `${env.ProgramData ?? 'C:\\ProgramData'}\\restic-manager\\policy.json`
  if (platform === 'darwin') return '/Library/Application Support/restic-manager/policy.json'
  return '/etc/restic-manager/policy.json'
}

/** Reads the file. One that cannot be followed allows nothing, and `problem` says why. Never throws. */
export function readHostPolicy(file: string): HostPolicy {
  const nothing = { file, hooks: 'off', hooksFolder: join(dirname(file), 'hooks') } as const
  const refused = (problem: string) => ({ ...nothing, found: true, problem })
  try {
    const text = readFileIfThere(file)
    if (text === undefined) return { ...nothing, found: false }
    const distrust = complaintAboutTrust(file)
    if (distrust !== undefined) return refused(distrust)
    const { hooks = 'off', hooksFolder = nothing.hooksFolder } = PolicyFile.parse(JSON.parse(text))
    return { file, found: true, hooks, hooksFolder }
  } catch (error) {
    return refused(`${file} cannot be read: ${wordsOf(error)}`)
  }
}

/** What the server learns of it, so that the page offers only what can run. Looks at the folder of hooks anew. */
export function policySummary(policy: HostPolicy): PolicySummary {
  if (policy.hooks === 'off') return { hooks: 'off' }
  return { hooks: policy.hooks, hookNames: hookNamesIn(policy) }
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
    return { complaint: `${join(hooksFolder, name)} cannot be run: ${wordsOf(error)}` }
  }
}

function hookNamesIn(policy: HostPolicy): string[] {
  try {
    const names = readdirSync(policy.hooksFolder).toSorted()
    return names.filter(name => 'path' in findHookProgram(policy, name)).slice(0, MAX_NAMES)
  } catch {
    return [] // no folder, no hooks
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    const [issue] = error.issues
    return `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim()
  }
  return error instanceof Error ? error.message : String(error)
}
