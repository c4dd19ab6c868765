// What `agent status` says of the policy of this host.
import type { PolicySummary } from '@restic-manager/contract/agent'

/** The policy for a person, as lines of a name and a value. */
export function describePolicy(allows: PolicySummary): [string, string | undefined][] {
  const { repositories = [], environment, uploadKibps, downloadKibps, restore, problem } = allows
  const limits = [
    ...(uploadKibps === undefined ? [] : [`upload ${uploadKibps} KiB/s`]),
    ...(downloadKibps === undefined ? [] : [`download ${downloadKibps} KiB/s`]),
  ]
  return [
    ['Policy problem', problem && `${problem} Nothing runs until it is mended.`],
    ['  hooks', hooksOf(allows)],
    ['  repositories', repositories.join(', ') || 'none'],
    ['  environment', environment && (environment.join(', ') || 'none')],
    ['  bandwidth', limits.length === 0 ? undefined : `at most ${limits.join(', ')}`],
    [
      '  restore',
      restore && `${restore.roots.join(', ') || 'nowhere'}${restore.inPlace ? ', and in place' : ''}`,
    ],
  ]
}

function hooksOf({ hooks, hookNames = [] }: PolicySummary): string {
  if (hooks === 'off') return 'none'
  const named = hookNames.length === 0 ? 'none there' : hookNames.join(', ')
  return hooks === 'listed'
    ? `from its folder (${named})`
    : `from its folder (${named}) and as scripts of the server`
}
