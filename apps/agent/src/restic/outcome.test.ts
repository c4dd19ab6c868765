// What real restics said when they failed, and what we make of it.
import {
  captureNames,
  readCapture,
  type Capture,
  type CapturedVersion,
} from '@restic-manager/testkit/captures'
import { describe, expect, test } from 'vitest'
import { splitLines } from './line-splitter.ts'
import { readLine } from './messages.ts'
import { failureReason, failureSentence, gatherEvidence, reasonOfSilence } from './outcome.ts'

function wordsOf(capture: Capture): string {
  const evidence = gatherEvidence()
  for (const stream of ['stdout', 'stderr'] as const) {
    const lines = splitLines(16_384, ({ text }) => evidence.hear(readLine(stream, text, same => same)))
    lines.push(Buffer.from(capture[stream]))
    lines.end()
  }
  return evidence.words()
}

function reasonOf(capture: Capture) {
  const { exitCode, signal } = capture
  const exit = { ...(exitCode === null ? {} : { exitCode }), ...(signal === null ? {} : { signal }) }
  return failureReason({ ...exit, interrupted: false, document: '' }, wordsOf(capture))
}

const wanted: [reason: string, cases: RegExp][] = [
  ['wrong_password', /^(wrong-password|init-no-password)$/],
  ['locked', /^(locked-|stale-lock-)/],
  ['already_initialised', /^init-already$/],
  ['storage_full', /^enospc-backup$/],
  ['damaged', /^(corrupt-pack-check-read-data|missing-pack-(check|prune))$/],
  [
    'backend_auth',
    /^(append-only-(forget-until-exit|prune-with-work)$|rest-(env|init-wrong|private|snapshots-wrong)|sftp-wrong-host-key-or-auth$)/,
  ],
  [
    'unreachable',
    /^(init-unreachable-rest|netcut-forever-until-exit|rest-unreachable-|sftp-connection-lost|sig-SIGINT-while-(backend-down|retrying-open))/,
  ],
  ['repository_missing', /^(backup-repo-missing|repo-missing|rest-snapshots-missing-repo)$/],
  ['bad_request', /^(bad-|backup-exclude-bad-pattern|no-repo-no-env|pw-command-fail|rest-bad-url)/],
  ['source_missing', /^backup-(all-paths-missing|files-from-nomatch|no-path)$/],
  [
    'permission',
    /^(init-permission-denied|repo-locks-readonly-snapshots|repo-readonly-midway|backup-unreadable-text)$/,
  ],
  ['killed', /SIGINT|SIGTERM/],
  ['failed', /^(backup-unreadable|sig-backup-SIGQUIT|tl-backup-ok|backup-stdin-from-command-fail)$/],
]

describe.each<CapturedVersion>(['0.14.0', '0.18.0'])('what restic %s said', version => {
  const captures = captureNames(version).map(name => readCapture(version, name))
  const ended = captures.filter(({ exitCode, signal }) => signal === null && exitCode !== 0)
  // 0.14 does not know these flags, so it refuses them.
  const reasonFor = ({ name }: Capture) =>
    version === '0.14.0' && /stdin-from-command|retry-lock$/.test(name)
      ? 'bad_request'
      : wanted.find(([, cases]) => cases.test(name))?.[0]

  test.each(ended.map(capture => [capture.name, capture] as const))('is understood: %s', (_, capture) => {
    expect(reasonOf(capture)).toBe(reasonFor(capture))
  })

  test('a run that ended by a signal was killed, whatever it said', () => {
    const killed = captures.filter(({ signal }) => signal !== null)
    expect(killed.length).toBeGreaterThan(4)
    expect(new Set(killed.map(reasonOf))).toEqual(new Set(['killed']))
  })
})

test('the hint of a missing repository is not believed when the storage refused or was away', () => {
  for (const name of ['rest-snapshots-wrong-creds', 'rest-unreachable-snapshots']) {
    const capture = readCapture('0.14.0', name)
    expect(capture.stderr).toContain('Is there a repository at the following location?')
    expect(reasonOf(capture)).not.toBe('repository_missing')
  }
})

test('a run stopped while it tried again failed for what it tried against', () => {
  expect(reasonOfSilence(wordsOf(readCapture('0.18.0', 'rest-unreachable-snapshots')))).toBe('unreachable')
  expect(reasonOfSilence(wordsOf(readCapture('0.18.0', 'rest-quota-exceeded')))).toBe('storage_full')
  expect(reasonOfSilence('unable to open config file: context canceled')).toBeUndefined()
})

test('a failure is told in one sentence of ours and the line of restic that says why', () => {
  expect(failureSentence('unreachable', wordsOf(readCapture('0.14.0', 'rest-unreachable-snapshots')))).toBe(
    'The repository could not be reached from this host. Check the address, the network and the server behind it. restic said: unable to open config file: client.Head: Head "http://agent1:***@127.0.0.1:1/r1/config": dial tcp 127.0.0.1:1: connect: connection refused',
  )
  expect(failureSentence('failed', wordsOf(readCapture('0.14.0', 'sig-backup-SIGQUIT')))).not.toContain(
    'goroutine',
  )
})

test('a program that cannot be started is a missing restic, arguments that do not fit are a bad request', () => {
  const nothing = { interrupted: false, document: '' }
  expect(failureReason({ ...nothing, failure: 'spawn /x/restic ENOENT' }, '')).toBe('restic_missing')
  expect(failureReason({ ...nothing, exitCode: 127 }, 'setpriv: failed to execute')).toBe('restic_missing')
  expect(failureReason({ ...nothing, failure: 'spawn E2BIG' }, '')).toBe('bad_request')
})

test('a million lines of complaint are remembered by their beginning and their end', () => {
  const evidence = gatherEvidence()
  for (let line = 0; line < 100_000; line += 1) evidence.hear({ stream: 'stderr', payload: `line ${line}` })
  const words = evidence.words()
  expect(words).toMatch(/^line 0\n/)
  expect(words).toMatch(/\nline 99999$/)
  expect(words.length).toBeLessThan(10_000)
})
