// The agent's program: reads the command line, does what it says, and ends with an exit code that says how it went.
import { existsSync } from 'node:fs'
import { fingerprintOf } from '@restic-manager/runtime/fingerprint'
import { createLog, type Log } from '@restic-manager/runtime/log'
import { BadUsage, readCommandLine, type CommandLine } from './command-line.ts'
import { BadConfig, readConfig } from './config.ts'
import { enrolHost, EnrolmentFailed } from './enrol.ts'
import { makeNextKey, publicKeyOf, readEnrolment } from './identity.ts'
import { usualPolicy } from './policy-places.ts'
import { checkPolicy, PolicyUnusable } from './policy-status.ts'
import { CannotStart, startAgent } from './start.ts'
import { StateInUse } from './state-lock.ts'
import { StateUnusable } from './state.ts'
import { describeStatus, readStatus } from './status.ts'
import { agentVersion } from './version.ts'

const refusals = [EnrolmentFailed, CannotStart, StateInUse, StateUnusable, PolicyUnusable]

/** 0: done. 1: it could not be done, for the reason printed. 2: the command line or the environment is wrong. */
void perform(() => obey(readCommandLine(process.argv.slice(2)))).then(code => (process.exitCode = code))

async function obey(line: CommandLine): Promise<void> {
  switch (line.command) {
    case 'help':
      return say(line.text)
    case 'version':
      return say(`${agentVersion}\n`)
    case 'enrol':
      return enrol(line)
    case 'status': {
      const status = readStatus(readConfig(line), createLog({ level: 'silent' }))
      return say(line.json ? `${JSON.stringify(status)}\n` : describeStatus(status))
    }
    case 'check-policy': {
      const { policyFile, stateDir } = readConfig(line)
      const usual = usualPolicy(stateDir, undefined)
      return say(checkPolicy(policyFile, { usual, named: line.policyFile !== undefined }))
    }
    case 'rotate-key':
      return rotateKey(line)
    case 'run':
      return run(line)
  }
}

async function enrol(line: CommandLine & { command: 'enrol' }): Promise<void> {
  const { stateDir } = readConfig(line)
  const { enrolment, already, waitsForApproval, fingerprint } = await enrolHost({ ...line, stateDir })
  const { hostName, hostId, serverUrl } = enrolment
  if (already && line.caPin !== undefined)
    say('The authority of its server is pinned anew. Restart the agent.\n')
  if (already) return say(`${stateDir} is enrolled with ${serverUrl} already, as ${hostName} (${hostId}).\n`)
  say(`Enrolled with ${serverUrl} as ${hostName} (${hostId}).\nFingerprint of its key: ${fingerprint}\n`)
  if (waitsForApproval)
    say(
      'It waits for an admin to let it in, who should see the same fingerprint. Start the agent: it goes on by itself then.\n',
    )
  say(`Next: agent run --state-dir ${stateDir}\n`)
  if (serverUrl.startsWith('http:') && line.allowPlainHttp)
    say('This link is not encrypted: whoever can listen to it can read the repository passwords.\n')
}

function rotateKey(line: CommandLine & { command: 'rotate-key' }): void {
  const { stateDir } = readConfig(line)
  if (!existsSync(stateDir) || readEnrolment(stateDir) === undefined)
    throw new CannotStart(`${stateDir} is not enrolled, so it has no key to replace.`)
  const key = makeNextKey(stateDir)
  say(
    `Fingerprint of the new key: ${fingerprintOf(publicKeyOf(key))}\nThe agent has the server take it within seconds, or when it is started; the old key is refused from then on.\n`,
  )
}

async function run(line: CommandLine & { command: 'run' }): Promise<void> {
  const config = readConfig(line)
  const log = createLog({ level: config.logLevel })
  // restic asks by SIGHUP whether the owner of a lock lives, and process ids are recycled.
  process.on('SIGHUP', () => log.info('ignored a SIGHUP'))
  const stopWanted = untilStopIsWanted(log)
  const agent = await startAgent(config, log)
  await stopWanted
  await agent.stop()
  if (process.connected) process.disconnect?.()
}

/** Resolves at the first sign. Further ones change nothing: a terminal and npm both send one, and an agent that died of it would leave locks. */
function untilStopIsWanted(log: Log): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const stop = () => {
    asked += 1
    if (asked > 1) log.info('still stopping: restic gets up to 90 seconds to remove its lock')
    resolve()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  // Whoever started us over an IPC channel is gone.
  process.once('disconnect', stop)
  return promise
}

async function perform(work: () => Promise<void>): Promise<number> {
  try {
    await work()
    return 0
  } catch (error) {
    if (error instanceof BadUsage || error instanceof BadConfig) {
      complain(error.message)
      return 2
    }
    if (refusals.some(each => error instanceof each)) {
      complain((error as Error).message)
      return 1
    }
    const disk = diskComplaint(error)
    if (disk === undefined) throw error
    complain(disk)
    return 1
  }
}

/** The sentence for a state directory that cannot be used; undefined when it was something else. */
function diskComplaint(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, syscall, path } = error as NodeJS.ErrnoException
  const isFile = syscall !== undefined && path !== undefined
  if (!isFile && code !== 'ERR_SQLITE_ERROR') return undefined
  return `The state directory cannot be used: ${error.message}. Look at its owner, its rights and the room on its disk.`
}

function say(text: string): void {
  process.stdout.write(text)
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`)
}
