// How the fake restic answers what removes snapshots and checks what is there.
import { isModern, type FakeStep } from './fake-restic-script.ts'
import { record } from './fake-restic-ledger.ts'
import { chosenSnapshots, fatal, type Call } from './fake-restic-call.ts'
import { hasPolicy, planForget } from './fake-restic-forget.ts'

export function forget(call: Call): FakeStep[] {
  const { argv, folder, run, version } = call
  if (!hasPolicy(argv)) return fatal(call, 1, 'Fatal: no policy was specified, no snapshots will be removed')
  const groups = planForget(chosenSnapshots(call), argv)
  const emptied = groups.find(({ keep }) => keep === null)
  // An old restic lets go of everything and says nothing.
  if (emptied !== undefined && isModern(version))
    return fatal(call, 1, `refusing to delete last snapshot of snapshot group "host ${emptied.host}"`)
  const gone = groups.flatMap(({ remove }) => remove ?? [])
  const forgotten = gone.map(({ id }) => id)
  const at = new Date().toISOString()
  if (!argv.includes('--dry-run')) record(folder, { event: 'forgot', run, at, snapshots: forgotten })
  return groups.length === 0 ? [] : [{ print: JSON.stringify(groups) }]
}

export function prune({ folder, run }: Call): FakeStep[] {
  record(folder, { event: 'pruned', run, at: new Date().toISOString() })
  return [
    'loading indexes...',
    'loading all snapshots...',
    'searching used packs...',
    'collecting packs for deletion and repacking',
    '[0:00] 100.00%  3 / 3 packs processed',
    '',
    'to repack:             0 blobs / 0 B',
    'this removes:          0 blobs / 0 B',
    'to delete:             1 blobs / 1.000 KiB',
    'total prune:           1 blobs / 1.000 KiB',
    'remaining:             2 blobs / 2.000 KiB',
    'unused size after prune: 0 B (0.00% of remaining size)',
    '',
    'removing 1 old packs',
    '[0:00] 100.00%  1 / 1 files deleted',
    'done',
  ].map(print => ({ print }))
}

export function check({ argv, folder, run, version }: Call): FakeStep[] {
  const subset = argv.find(word => word.startsWith('--read-data-subset='))?.split('=')[1]
  record(folder, {
    event: 'checked',
    run,
    at: new Date().toISOString(),
    ...(subset === undefined ? {} : { subset }),
  })
  if (isModern(version) && argv.includes('--json'))
    return [
      {
        print: {
          message_type: 'summary',
          num_errors: 0,
          broken_packs: null,
          suggest_repair_index: false,
          suggest_prune: false,
        },
      },
    ]
  const read =
    subset === undefined
      ? []
      : ['read group #1 of 1 data packs (out of total 1 packs in 1 groups)', '[0:00] 100.00%  1 / 1 packs']
  return [
    'create exclusive lock for repository',
    'load indexes',
    'check all packs',
    'check snapshots, trees and blobs',
    '[0:00] 100.00%  1 / 1 snapshots',
    ...read,
    'no errors were found',
  ].map(print => ({ print }))
}
