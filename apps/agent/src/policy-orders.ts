// What this host does not do although its server says so: every order passes here when it comes, and again when it runs.
import type { BackupSpec } from '@restic-manager/contract/command'
import { askedAccess, complaintsByPolicy } from '@restic-manager/contract/policy-rule'
import { backendOf } from '@restic-manager/contract/backends'
import { complaintAboutCredential, type RepositoryAccess } from '@restic-manager/contract/repository'
import { complaintAboutPrograms } from './hooks.ts'
import { complaintAboutLinks } from './policy-links.ts'
import { complaintAboutReadings } from './policy-readings.ts'
import type { HostPolicy } from './policy.ts'
import type { Bandwidth } from './restic/args.ts'

type Hooks = Pick<BackupSpec, 'preHook' | 'postHook'>
type Work = { spec: object; access: Pick<RepositoryAccess, 'url' | 'credential' | 'environment'> }

/** What any restic may take of the network, whatever the server says. */
export const bandwidthOf = ({ uploadKibps, downloadKibps }: HostPolicy): Bandwidth => ({
  uploadKibps,
  downloadKibps,
})

/** Why the policy of this host keeps a job from running, as a sentence that names the key; undefined when it does not. */
export function complaintAboutWork(policy: HostPolicy, { spec, access }: Work): string | undefined {
  const { preHook, postHook }: Hooks = 'paths' in spec ? (spec as BackupSpec) : {}
  const hooks = { preHook, postHook }
  // A speed above the limit is no reason to have no backup: `bandwidthOf` keeps it below.
  const [complaint] = complaintsByPolicy(policy, { access: askedAccess(access), ...hooks })
  return (
    complaint?.message ??
    complaintAboutSecret(access) ??
    complaintAboutLinks(policy.repositories, access) ??
    complaintAboutReadings(access) ??
    complaintAboutPrograms(policy, hooks)
  )
}

/** Nothing of such a secret would reach restic or rclone; a job without it would only fail for a reason that nobody finds. */
function complaintAboutSecret({ url, credential }: Work['access']): string | undefined {
  const kind = backendOf(url)
  return kind === undefined || credential === undefined
    ? undefined
    : complaintAboutCredential(kind, credential)
}
