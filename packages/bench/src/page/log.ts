// Whether the log of a job stutters at 100,000 lines: while it follows the end, and while somebody scrolls in it.
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { until } from '@restic-manager/testkit/until'
import {
  enrolAgent,
  policyOfThrowAway,
  startAgentProgram,
  stopProgram,
} from '../../../../scripts/processes.ts'
import type { Figure } from '../measure/figure.ts'
import { bareFrames, frameFigures, framesDuring, wheelUntil } from './frames.ts'
import type { PageWorld } from './world.ts'

const LINES = 100_000
const FOLLOWED = { lines: 20_000, linesPerSecond: 1_000 }
const FOLLOW_MS = 10_000
/** So far up somebody scrolls: a sixth of it. */
const SCROLL_PX = 400_000

/** A real agent with a restic that says much; the page of its job while it talks, and afterwards. */
export async function benchPageLog(world: PageWorld): Promise<Figure[]> {
  await using job = await startTalker(world)
  const page = await world.open()
  const bare = await bareFrames(page)
  await page.goto(`${world.url}/jobs/${job.jobId}`)
  await page.getByText(/^1\d\d\D?\d{3} lines$/).waitFor({ timeout: 120_000 })
  await page.getByText('Live, at the newest line').waitFor()
  job.goOn()
  const following = await framesDuring(page, () => sleep(FOLLOW_MS))
  await job.over()

  const lines = page.locator('.log-scroll')
  await lines.hover()
  const from = await lines.evaluate(({ scrollTop }) => scrollTop)
  const isFar = () => lines.evaluate((element, end) => element.scrollTop < end, from - SCROLL_PX)
  const scrolling = await framesDuring(page, () => wheelUntil(page, -1, isFar))
  await page.close()
  return [
    ...frameFigures(`page-log ${LINES} lines, following`, following, bare),
    ...frameFigures(`page-log ${LINES} lines, scrolling`, scrolling, bare),
  ]
}

/** A host of its own in the fleet, whose backup has said `LINES` lines and waits to say more. It is removed in the end. */
async function startTalker({ api, url, env, folder }: PageWorld) {
  await using undo = new AsyncDisposableStack()
  const name = `talker-${Date.now()}`
  const text = ' processed a file of a name that is about as long as names are'
  const steps = [
    { flood: { lines: LINES, linesPerSecond: 10_000, text } },
    { wait: 'full' },
    { flood: { ...FOLLOWED, text } },
    { summary: {} },
  ]
  const restic = fakeRestic(path.join(folder, name, 'restic'), { runs: { backup: { steps } } })
  const stateDir = path.join(folder, name, 'agent')
  await enrolAgent({ url, env }, stateDir, name)
  const policy = await policyOfThrowAway(folder)
  const agent = await startAgentProgram(name, stateDir, { env: { ...policy, RM_RESTIC: restic.path } })
  undo.defer(async () => void (await stopProgram(agent)))
  const { rows } = await until(
    () => api.hosts.list.query({ search: name }),
    ({ rows }) => rows[0]?.online === true,
  )
  const hostId = rows[0]?.id ?? ''
  undo.defer(() => api.hosts.remove.mutate({ hostId, confirmName: name }))
  const place = { name, url: path.join(folder, name, 'repository'), hostIds: [hostId] }
  const { repositoryId } = await api.repositories.create.mutate({ requestId: newId(), ...place })
  undo.defer(() => api.repositories.remove.mutate({ repositoryId, confirmName: name }))
  const { jobId } = await api.jobs.run.mutate({
    ...{ requestId: newId(), hostId, repositoryId },
    ...{ kind: 'backup', spec: { paths: ['/etc/hostname'] } },
  })
  const look = () => api.jobs.get.query({ jobId })
  await until(look, ({ receivedLogSeq }) => receivedLogSeq >= LINES - 1, {
    ...{ what: `${LINES} lines of log`, timeoutMs: 300_000, everyMs: 500 },
  })
  const owned = undo.move()
  return {
    jobId,
    goOn: () => restic.open('full'),
    over: () =>
      until(look, ({ status }) => hasEnded(status), { what: 'the end of the job', timeoutMs: 120_000 }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
