// Scenarios in small: the same programs and the same promises as with thousands, without a word about time.
// One in every run of the tests, the others in the long one.
import { readdir } from 'node:fs/promises'
import { isLongRun } from '@restic-manager/testkit/restic'
import { expect, test } from 'vitest'
import { build, makeThrowAway, removeThrowAway } from '../../../scripts/processes.ts'
import { openGivenGround } from './scenario/given-ground.ts'
import { openOwnGround } from './scenario/own-ground.ts'
import { tellReport } from './scenario/report.ts'
import { runScenario } from './scenario/run-scenario.ts'
import type { ScenarioName } from './scenario/scenarios.ts'

const agents = isLongRun ? 40 : 10

async function play(scenario: ScenarioName, replicas: number, profileDir?: string) {
  await build()
  const said: string[] = []
  await using ground = await openOwnGround(replicas, profileDir)
  const report = await runScenario(ground, {
    ...{ scenario, agents, minutes: 0.05, outageSeconds: 0, lines: undefined },
    ...{ oneAddress: process.platform !== 'linux', timing: { backoffCap: 1_000 } },
    ...{ note: sentence => void said.push(sentence), signal: new AbortController().signal },
  })
  const promised = { agents, in: agents, broken: [], facts: { refused: 0, lost: 0 }, logs: { cutOff: 0 } }
  expect(report, [...said, tellReport(report)].join('\n')).toMatchObject(promised)
  return report
}

test('a fleet whose server was killed comes back, and every fact it kept meanwhile is committed (row 14)', async () => {
  const folder = await makeThrowAway('rm-profiles-')
  await using undo = new AsyncDisposableStack()
  undo.defer(() => removeThrowAway(folder))
  const { facts, dials, jobs } = await play('storm', 1, folder)
  expect(jobs.ended).toEqual({ succeeded: agents })
  // The start and the end of each backup, and the snapshot it made.
  expect(facts.written).toBeGreaterThanOrEqual(3 * agents)
  expect(dials.all).toBeGreaterThanOrEqual(agents)
  // Whoever asks for profiles gets one of each part.
  expect((await readdir(folder)).toSorted()).toEqual([
    'back-with-a-backup-each-to-tell-1.cpuprofile',
    'back-with-nothing-to-tell-1.cpuprofile',
  ])
})

test.runIf(isLongRun)('two servers restart one after the other under load, and nothing is lost', async () => {
  const { servers, jobs } = await play('rolling-restart', 2)
  expect(servers).toBe(2)
  expect(jobs.ended).toEqual({ succeeded: agents })
})

test.runIf(isLongRun)(
  'a server that somebody else runs is only cut off from, with nothing but its address and an admin',
  async () => {
    await build()
    await using somebody = await openOwnGround(1)
    const [url = ''] = somebody.urls
    const given = { url, tokens: [], metricsToken: undefined }
    const stranger = { email: 'nobody@example.net', password: 'wrong' }
    await expect(openGivenGround({ ...given, admin: stranger })).rejects.toThrow('Signing in as nobody')
    await using ground = await openGivenGround({ ...given, admin: somebody.own?.admin })
    const said: string[] = []
    const report = await runScenario(ground, {
      ...{ scenario: 'storm', agents: 20, minutes: 0.05, outageSeconds: 0, lines: undefined },
      ...{ oneAddress: process.platform !== 'linux', timing: { backoffCap: 1_000 } },
      ...{ note: sentence => void said.push(sentence), signal: new AbortController().signal },
    })
    expect(report, [...said, tellReport(report)].join('\n')).toMatchObject({
      ...{ agents: 20, in: 20, broken: undefined, costs: {}, facts: { refused: 0, lost: 0 } },
      jobs: { ended: { succeeded: 20 } },
    })
  },
)
