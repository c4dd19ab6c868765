// A real host of a run: the agent's program on the fake restic, behind a link of its own.
import path from 'node:path'
import { fakeRestic, type FakeRestic } from '@restic-manager/testkit/fake-restic'
import type { FakeRun, FakeStep } from '@restic-manager/testkit/fake-restic-script'
import { startTcpProxy, type TcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { policyOfThrowAway, runProgram } from '../../../scripts/processes.ts'
import type { Chance } from './chance.ts'
import { makeProgram, type Program } from './program.ts'

export type RealHost = {
  readonly name: string
  readonly hostId: string
  readonly stateDir: string
  /** The folder with restic's ledger. */
  readonly resticFolder: string
  readonly restic: FakeRestic
  readonly link: TcpProxy
  readonly program: Program
}

/** What makes a hanging restic go on. */
export const healedGate = 'healed'

type RealHostOptions = {
  entry: string
  name: string
  folder: string
  port: number
  token: string
  timing: Record<string, number>
  chance: Chance
}

/** Enrols an agent through a link of its own and starts it. Disposing of `undo` ends both. */
export async function startRealHost(
  { entry, name, folder, port, token, timing, chance }: RealHostOptions,
  undo: AsyncDisposableStack,
): Promise<RealHost> {
  const stateDir = path.join(folder, name)
  const resticFolder = path.join(folder, `${name}-restic`)
  const restic = fakeRestic(resticFolder, { runs: { backup: drawRuns(chance) } })
  const link = undo.use(await startTcpProxy({ port }))
  const env = {
    RM_RESTIC: restic.path,
    RM_TIMING: JSON.stringify(timing),
    RM_LOG_LEVEL: 'info',
    ...(await policyOfThrowAway(folder)),
  }
  const server = `http://127.0.0.1:${link.port}`
  await runProgram(
    [entry, 'enrol', '--server', server, '--token', token, '--state-dir', stateDir, '--name', name],
    env,
  )
  const status = JSON.parse(await runProgram([entry, 'status', '--json', '--state-dir', stateDir], env)) as {
    hostId: string
  }
  const program = makeProgram({ name, argv: [entry, 'run', '--state-dir', stateDir], env })
  undo.defer(async () => {
    program.thaw()
    await program.stop(20_000)
  })
  await program.start()
  return { name, hostId: status.hostId, stateDir, resticFolder, restic, link, program }
}

const manyRuns = 400

/** How each backup of a host goes, in their order. */
function drawRuns(chance: Chance): FakeRun[] {
  return Array.from({ length: manyRuns }, () => drawRun(chance))
}

function drawRun(chance: Chance): FakeRun {
  const soon: FakeStep = { sleepMs: chance.between(20, 400) }
  const done: FakeStep = { summary: {} }
  const kind = chance.weighted({
    ...{ quick: 50, long: 14, failing: 6, unread: 6, flood: 6, line: 3, crash: 5, hang: 4, deaf: 2 },
  })
  switch (kind) {
    case 'quick':
      return { steps: [soon, done] }
    case 'long':
      return { steps: [...works(chance.between(4, 14)), done] }
    case 'failing':
      return { steps: [soon, { print: 'Fatal: the disk is on fire', to: 'stderr' }, { exit: 1 }] }
    case 'unread':
      return { steps: [soon, done, { exit: 3 }] }
    case 'flood':
      return {
        steps: [{ flood: { lines: chance.between(500, 8_000), text: 'lorem ipsum ', to: 'stderr' } }, done],
      }
    case 'line':
      return { steps: [{ longLine: { bytes: chance.between(20_000, 400_000), to: 'stderr' } }, done] }
    case 'crash':
      return { steps: [soon, { crash: 'SIGKILL' }] }
    case 'hang':
      return { steps: [soon, { wait: healedGate }, done] }
    case 'deaf':
      return { steps: [soon, { wait: healedGate }, done], interrupted: 'ignored' }
  }
}

/** Progress as restic tells it, a few times a second. */
function works(times: number): FakeStep[] {
  return Array.from({ length: times }, (_, at) => [
    {
      print: {
        message_type: 'status',
        percent_done: at / times,
        total_files: times,
        files_done: at,
        total_bytes: times * 1_000,
        bytes_done: at * 1_000,
      },
    },
    { sleepMs: 400 },
  ]).flat()
}
