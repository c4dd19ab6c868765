// What the policy of a host forbids. One rule: the page greys out by it, the server refuses by it, the agent keeps to it.
import type { BackupSpec } from './command.ts'
import { isAllowedPlace } from './policy.ts'
import { rcloneRemoteOf, readRcloneSection } from './rclone.ts'
import { backendOf, backends } from './backends.ts'
import type { RepositoryAccess } from './repository.ts'

/** What a policy says, as the host itself reads it or as it told its server. What an older agent does not tell, it allows. */
export type HostRules = {
  readonly [K in 'repositories' | 'environment']?: readonly string[] | undefined
} & {
  readonly [K in 'uploadKibps' | 'downloadKibps']?: number | undefined
} & { readonly hooks?: 'off' | 'listed' | 'inline' | undefined; readonly problem?: string | undefined }

/**
 * Access to a repository, without its secrets. `remoteType`: of the rclone remote that is sent along; undefined where that is
 * not known, and then nothing is said of the place.
 */
export type AskedAccess = Pick<RepositoryAccess, 'url' | 'environment'> & {
  hasCredential: boolean
  remoteType?: string | undefined
}

/** What somebody wants a host to do, as far as it is known. Limits in KiB per second. */
export type AskedWork = {
  access?: AskedAccess | undefined
  options?: { uploadKibps?: number | undefined; downloadKibps?: number | undefined } | undefined
} & Pick<BackupSpec, 'preHook' | 'postHook'>

/** What is forbidden, and what of the work it is about. `message` names the key of the file. */
export type PolicyComplaint = {
  code:
    | 'policy_not_followed'
    | 'repository_not_allowed'
    | 'environment_not_allowed'
    | 'hooks_not_allowed'
    | 'bandwidth_not_allowed'
  about: 'policy' | 'repository' | 'environment' | 'preHook' | 'postHook' | 'uploadKibps' | 'downloadKibps'
  message: string
}

/**
 * Everything that the policy of a host forbids of some work; empty when nothing is. `rules` undefined: the host has told
 * nothing, and it alone decides. A job above a limit runs, slower: an agent does not refuse it.
 */
export function complaintsByPolicy(rules: HostRules | undefined, work: AskedWork): PolicyComplaint[] {
  if (rules === undefined) return []
  if (rules.problem !== undefined) {
    const message = `The policy file of this host is not followed, so no job runs. ${rules.problem}`
    return [{ code: 'policy_not_followed', about: 'policy', message }]
  }
  return [
    ...(work.access === undefined ? [] : complaintsAboutAccess(rules, work.access)),
    ...complaintsAboutHooks(rules, work),
    ...complaintsAboutLimits(rules, work.options ?? {}),
  ]
}

/** An access as the rule asks about it. */
export function askedAccess({
  url,
  environment,
  credential,
}: Pick<RepositoryAccess, 'url' | 'credential' | 'environment'>): AskedAccess {
  return { url, environment, hasCredential: Boolean(credential), remoteType: remoteTypeOf(url, credential) }
}

/** The type of the rclone remote that a secret describes; undefined when it describes none. */
export function remoteTypeOf(url: string, credential: string | undefined): string | undefined {
  if (credential === undefined || rcloneRemoteOf(url) === undefined) return undefined
  const remote = readRcloneSection(credential)
  return 'complaint' in remote ? 'unreadable' : remote.type
}

/**
 * Where restic will write: through a remote that is a folder of the host, that folder. One that is relative begins with
 * `./`: it depends on where the agent runs, and no pattern but `**` allows it. Undefined where that cannot be known.
 */
export function placeOf({ url, hasCredential, remoteType }: AskedAccess): string | undefined {
  if (!hasCredential || rcloneRemoteOf(url) === undefined) return url
  if (remoteType !== 'local') return remoteType && url
  const path = url.slice(url.indexOf(':', 'rclone:'.length) + 1)
  return backendOf(path) === 'local' ? path : `./${path}`
}

function complaintsAboutAccess(
  { repositories, environment }: HostRules,
  access: AskedAccess,
): PolicyComplaint[] {
  const kind = backendOf(access.url)
  const usable: readonly string[] = kind === undefined ? [] : backends[kind].environment
  const complaints: PolicyComplaint[] = []
  const refuse = (code: 'repository_not_allowed' | 'environment_not_allowed', message: string) =>
    complaints.push({
      ...{ code, message },
      about: code === 'repository_not_allowed' ? 'repository' : 'environment',
    })
  for (const name of Object.keys(access.environment ?? {}))
    if (!usable.includes(name))
      refuse('environment_not_allowed', `${name} may not be set for a repository of the kind ${kind}.`)
    else if (environment !== undefined && !environment.includes(name))
      refuse(
        'environment_not_allowed',
        `The policy of this host does not let a server set ${name}: see "environment" in its policy file.`,
      )
  // restic would sign in as the host itself then, and show what it signs in with to whoever has that name.
  if (
    kind === 'azure' &&
    access.environment?.['AZURE_ENDPOINT_SUFFIX'] !== undefined &&
    !access.hasCredential
  )
    refuse(
      'environment_not_allowed',
      'AZURE_ENDPOINT_SUFFIX may be set only together with the key of the account.',
    )
  const place = placeOf(access)
  if (repositories !== undefined && place !== undefined && !isAllowedPlace(repositories, place))
    refuse(
      'repository_not_allowed',
      `The policy of this host does not allow a repository at ${place}: see "repositories" in its policy file. Allowed: ${inShort(repositories)}.`,
    )
  return complaints
}

function inShort(patterns: readonly string[]): string {
  const shown = patterns.slice(0, 12)
  const more = patterns.length - shown.length
  return [...(shown.length === 0 ? ['nothing'] : shown), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

/** What the policy forbids of the programs around a backup. Whether a named one is there only the host can say. */
export function complaintsAboutHooks(
  { hooks }: HostRules,
  work: Pick<AskedWork, 'preHook' | 'postHook'>,
): PolicyComplaint[] {
  return (['preHook', 'postHook'] as const).flatMap(about => {
    const hook = work[about]
    const isRefused =
      hook !== undefined && (hooks === 'off' || (hooks === 'listed' && hook.name === undefined))
    if (!isRefused) return []
    const message =
      hooks === 'off'
        ? 'The policy file of this host allows no hooks. Its owner can change that on the host.'
        : 'The policy file of this host allows only the programs in its folder of hooks, by name.'
    return [{ code: 'hooks_not_allowed' as const, about, message }]
  })
}

const directions = { uploadKibps: 'upload', downloadKibps: 'download' } as const

function complaintsAboutLimits(
  rules: HostRules,
  asked: NonNullable<AskedWork['options']>,
): PolicyComplaint[] {
  return (['uploadKibps', 'downloadKibps'] as const).flatMap(about => {
    const [most, wish] = [rules[about], asked[about]]
    if (most === undefined || wish === undefined || slower(wish, most) === wish) return []
    const message = `The policy of this host allows at most ${most} KiB/s for ${directions[about]}, not ${wish}: see "${about}" in its policy file.`
    return [{ code: 'bandwidth_not_allowed' as const, about, message }]
  })
}

/** The slower of two limits; undefined means none. */
export function slower(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Math.min(one, other)
}
