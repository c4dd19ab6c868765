// A restic for tests that does exactly what its script says and keeps a ledger of what really ran.
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  readLedger,
  runsOf,
  type FakeSnapshot,
  type LedgerEntry,
  type LedgerRun,
} from './fake-restic-ledger.ts'
import { fakeResticProgram } from '../../../scripts/test-programs.ts'
import type { FakeScript } from './fake-restic-script.ts'
import { until } from './until.ts'

const program = await fakeResticProgram()

export type FakeRestic = {
  /** The executable, named `restic`. */
  readonly path: string
  /** The folder it lies in, to put on a PATH. */
  readonly folder: string
  /** Runs started from now on follow this script. */
  script(script: FakeScript): void
  /** Opens a gate for the runs that wait at it and for all later ones. */
  open(gate: string): void
  /** Waits until a run stands at the gate. */
  reached(gate: string): Promise<LedgerRun>
  ledger(): LedgerEntry[]
  /** Runs in the order they started, all or of one subcommand (`backup`, `cat config`). */
  runs(command?: string): LedgerRun[]
  /** All snapshots ever saved, oldest first. */
  snapshots(): FakeSnapshot[]
  /** Those that no `forget` has let go of. */
  kept(): FakeSnapshot[]
}

/** Puts a fake restic into `folder`, which is made when missing. It runs with no environment at all. */
export function fakeRestic(folder: string, script: FakeScript = {}): FakeRestic {
  const bin = join(folder, 'bin')
  const path = join(bin, 'restic')
  const gates = join(folder, 'gates')
  for (const each of [bin, gates]) mkdirSync(each, { recursive: true })
  // A shell adds these to an empty environment; the ledger is to hold only what the caller gave.
  const launcher = `#!/bin/sh\nunset PWD OLDPWD SHLVL _\nexec ${[process.execPath, program, folder].map(quote).join(' ')} "$@"\n`
  writeFileSync(path, launcher)
  chmodSync(path, 0o755)

  const fake: FakeRestic = {
    path,
    folder: bin,
    script(wanted) {
      const file = join(folder, 'script.json')
      writeFileSync(`${file}.new`, JSON.stringify(wanted))
      renameSync(`${file}.new`, file)
    },
    open: gate => writeFileSync(join(gates, gate), ''),
    reached: gate =>
      until(() => fake.runs().find(run => run.gate === gate && run.endedAt === undefined), undefined, {
        what: `a run of the fake restic at the gate "${gate}"`,
      }),
    ledger: () => readLedger(folder),
    runs: command =>
      runsOf(readLedger(folder)).filter(run => command === undefined || run.command === command),
    snapshots: () => readLedger(folder).flatMap(entry => (entry.event === 'saved' ? entry.snapshot : [])),
    kept() {
      const entries = readLedger(folder)
      const gone = new Set(entries.flatMap(entry => (entry.event === 'forgot' ? entry.snapshots : [])))
      return fake.snapshots().filter(({ id }) => !gone.has(id))
    },
  }
  fake.script(script)
  return fake
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
