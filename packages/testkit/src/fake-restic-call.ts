// One call of the fake restic, and what all its answers share.
import { flagValues, isModern, type FakeScript, type FakeStep } from './fake-restic-script.ts'
import { snapshotsOf, type LedgerEntry } from './fake-restic-ledger.ts'

export type Call = {
  folder: string
  run: string
  command: string
  argv: string[]
  repository: string
  password: string | undefined
  /** The name in its snapshots. */
  hostname: string
  /** The name in its locks. */
  machine: string
  version: string
  script: FakeScript
  ledger: LedgerEntry[]
}

/** How a run of that version says that it failed. */
export function fatal({ version }: { version: string }, code: number, message: string): FakeStep[] {
  return isModern(version)
    ? [{ print: { message_type: 'exit_error', code, message }, to: 'stderr' }, { exit: code }]
    : [{ print: message, to: 'stderr' }, { exit: 1 }]
}

/** The snapshots that the arguments name: any of the hosts, all tags of any `--tag`. */
export function chosenSnapshots({ argv, ledger, repository }: Call) {
  const hosts = flagValues(argv, '--host')
  const tagLists = flagValues(argv, '--tag').map(list => list.split(','))
  const ids = argv.filter(word => /^[0-9a-f]{8,64}$/.test(word))
  return snapshotsOf(ledger, repository).filter(
    snapshot =>
      (hosts.length === 0 || hosts.includes(snapshot.hostname)) &&
      (tagLists.length === 0 || tagLists.some(tags => tags.every(tag => snapshot.tags?.includes(tag)))) &&
      (ids.length === 0 || ids.some(id => snapshot.id.startsWith(id))),
  )
}
