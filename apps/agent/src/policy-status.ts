// What `agent status` and `agent check-policy` say of the policy of this host.
import type { PolicySummary } from '@restic-manager/contract/agent'
import { policyInWords } from '@restic-manager/contract/policy-words'
import { plainText } from '@restic-manager/runtime/plain-text'
import { complaintsAboutHooksFolder, policySummary, readHostPolicy, type UsualPolicy } from './policy.ts'

/** A policy file that no agent would follow. The message names the file, the line, what is wrong and what is accepted. */
export class PolicyUnusable extends Error {}

/** The policy for a person, as lines of a name and a value. */
export function describePolicy(allows: PolicySummary): [string, string | undefined][] {
  const { problem } = allows
  return [
    ['Policy problem', problem && `${problem} Nothing runs until it is mended.`],
    ...policyInWords(allows).map(({ about, says, names = [] }): [string, string] => [
      `  ${about.toLowerCase()}`,
      [says, names.join(', ')].filter(part => part !== '').join(' '),
    ]),
  ]
}

/**
 * Reads a policy file as an agent would and says what it allows. `named`: somebody asked for this very file, so that it
 * has to be there. Throws `PolicyUnusable`.
 */
export function checkPolicy(file: string, { usual, named }: { usual: UsualPolicy; named: boolean }): string {
  const policy = readHostPolicy(file, usual)
  if (policy.problem !== undefined) throw new PolicyUnusable(policy.problem)
  if (!policy.found && named)
    throw new PolicyUnusable(
      `${file} is not there. Accepted: the path of a policy file, or none for the usual one.`,
    )
  const uid = process.getuid?.() ?? 0
  const lines: [string, string | undefined][] = [
    [
      'Policy file',
      policy.found
        ? `${file}, which can be followed`
        : `${file}, which is not there: this is what holds without it`,
    ],
    ...describePolicy(policySummary(policy)),
    ...complaintsAboutHooksFolder(policy).map((complaint): [string, string] => ['  not a hook', complaint]),
    // Root trusts no file of another user.
    [
      'Note',
      uid === 0 || !policy.found
        ? undefined
        : `read as user ${uid}; an agent that runs as root needs it to belong to root`,
    ],
  ]
  return linesOf(lines)
}

/** Lines of a name and a value, for a terminal. What has no value is left out. */
export function linesOf(lines: readonly (readonly [string, string | undefined])[]): string {
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${plainText(name)}:`.padEnd(20) + `${plainText(value ?? '')}\n`)
    .join('')
}
