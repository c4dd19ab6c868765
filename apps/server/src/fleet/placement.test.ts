// Where a job runs: with everyday access where that is enough, else on the maintenance host with what it is lent.
import { expect, test } from 'vitest'
import type { JobKind } from '@restic-manager/contract/job'
import { choosePlace } from './placement.ts'

const everyday = { hostId: 'web', elevated: false }
const lent = { hostId: 'keeper', elevated: true, forHostId: 'web' }
const noKeeper = { refused: 'no_maintenance_host' }
const noAccess = { refused: 'repository_not_on_host' }

test.each<[JobKind, object, object, object, object, object]>([
  //         append-only, keeper   may delete, keeper   append-only, alone   may delete, alone   no access, keeper
  ['init', everyday, everyday, everyday, everyday, noAccess],
  ['probe', everyday, everyday, everyday, everyday, noAccess],
  ['backup', everyday, everyday, everyday, everyday, noAccess],
  ['unlock', everyday, everyday, everyday, everyday, noAccess],
  ['forget', lent, everyday, noKeeper, everyday, lent],
  ['prune', lent, lent, noKeeper, noKeeper, lent],
  ['check', lent, lent, everyday, everyday, lent],
])('%s', (kind, ...expected) => {
  const rights = [
    { hasAccess: true, mayDelete: false, maintenanceHostId: 'keeper' },
    { hasAccess: true, mayDelete: true, maintenanceHostId: 'keeper' },
    { hasAccess: true, mayDelete: false, maintenanceHostId: null },
    { hasAccess: true, mayDelete: true, maintenanceHostId: null },
    { hasAccess: false, mayDelete: true, maintenanceHostId: 'keeper' },
  ]
  expect(rights.map(each => choosePlace({ kind, hostId: 'web' }, each))).toEqual(expected)
})

test('a maintenance host works for itself, with what it is lent, also where it has no access of its own', () => {
  for (const kind of ['init', 'probe', 'unlock', 'forget', 'prune', 'check'] as const)
    expect(
      choosePlace(
        { kind, hostId: 'keeper' },
        { hasAccess: false, mayDelete: false, maintenanceHostId: 'keeper' },
      ),
    ).toEqual({ hostId: 'keeper', elevated: true })
})

test('a dry run needs no right to delete', () => {
  const rights = { hasAccess: true, mayDelete: false, maintenanceHostId: null }
  expect(choosePlace({ kind: 'forget', hostId: 'web', dryRun: true }, rights)).toEqual(everyday)
})
