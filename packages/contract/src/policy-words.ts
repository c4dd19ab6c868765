// What the policy of a host allows, in plain words: its page, `agent status` and `agent check-policy` say the same.
import type { PolicySummary } from './agent.ts'
import { backendKinds, backendOf, backends } from './backends.ts'

/** One thing a policy speaks of. `names`: the programs, places or names that `says` ends with a colon for. */
export type PolicyLine = { about: string; says: string; names?: readonly string[] }

/** The policy for a person. Of what an older agent does not tell, nothing is said. */
export function policyInWords(allows: PolicySummary): PolicyLine[] {
  const { restore } = allows
  return [
    hooksInWords(allows),
    repositoriesInWords(allows.repositories),
    environmentInWords(allows.environment),
    { about: 'Bandwidth', says: bandwidthInWords(allows) },
    ...(restore === undefined ? [] : [restoresInWords(restore)]),
  ]
}

function hooksInWords({ hooks, hookNames = [] }: PolicySummary): PolicyLine {
  const about = 'Hooks'
  if (hooks === 'off') return { about, says: 'No programs run before or after backups.' }
  const programs = 'The programs in its folder of hooks may run before and after backups'
  const scripts =
    hooks === 'inline' ? ' Any script that the server sends may run too, as the user of the agent.' : ''
  if (hookNames.length === 0) return { about, says: `${programs}; none lies there.${scripts}` }
  return { about, says: `${scripts.trimStart()}${scripts && ' '}${programs}:`, names: hookNames }
}

/** The places of the hosts away from this one, when all of them are allowed. */
const away = backendKinds.filter(kind => kind !== 'local').map(kind => `${kind}:**`)

function repositoriesInWords(patterns: PolicySummary['repositories']): PolicyLine {
  const about = 'Repositories'
  if (patterns === undefined) return { about, says: 'Anywhere: its agent is too old to say more.' }
  if (patterns.includes('**')) return { about, says: 'Anywhere, every folder of this host included.' }
  if (patterns.length === 0) return { about, says: 'Nowhere.' }
  const everywhereAway = away.every(pattern => patterns.includes(pattern))
  const named = patterns.filter(pattern => !everywhereAway || !away.includes(pattern)).map(placeInWords)
  if (!everywhereAway) return { about, says: 'Only at these places:', names: named }
  if (named.length === 0) return { about, says: 'On every storage but folders of this host.' }
  return { about, says: 'On every storage; of the folders of this host only:', names: named }
}

function placeInWords(pattern: string): string {
  const kind = backendOf(pattern)
  if (pattern === `${kind}:**`) return `every address that begins with ${kind}:`
  return pattern.endsWith('**') ? `${pattern.slice(0, -2)} and everything below` : pattern
}

function environmentInWords(names: PolicySummary['environment']): PolicyLine {
  const about = 'Environment'
  const known = [...new Set(Object.values(backends).flatMap(({ environment }) => environment))].toSorted()
  if (names === undefined) return { about, says: 'The server may set what a storage takes:', names: known }
  if (names.length === 0) return { about, says: 'The server may set nothing for a storage.' }
  return { about, says: 'The server may set for a storage only:', names }
}

/** How fast restic may be on this host, whatever a schedule says. */
export function bandwidthInWords({
  uploadKibps,
  downloadKibps,
}: Pick<PolicySummary, 'uploadKibps' | 'downloadKibps'>): string {
  const limits = [
    ...(uploadKibps === undefined ? [] : [`${uploadKibps} KiB/s up`]),
    ...(downloadKibps === undefined ? [] : [`${downloadKibps} KiB/s down`]),
  ]
  return limits.length === 0 ? 'No limit of the host’s own.' : `At most ${limits.join(', ')}, for every job.`
}

function restoresInWords({ roots, inPlace }: NonNullable<PolicySummary['restore']>): PolicyLine {
  const over = inPlace ? 'and over what is there' : 'never over what is there'
  const about = 'Restores'
  if (roots.length === 0 && !inPlace) return { about, says: 'May write nowhere. No job restores yet.' }
  if (roots.length === 0) return { about, says: 'May write over what is there. No job restores yet.' }
  return { about, says: `No job restores yet. One may write, ${over}, below:`, names: roots }
}
