// The agent's program: reads the command line, does what it says, and ends with an exit code that says how it went.
import { createLog } from '@restic-manager/runtime/log'
import { BadUsage, readCommandLine, type CommandLine } from './command-line.ts'
import { BadConfig, readConfig } from './config.ts'
import { enrolHost, EnrolmentFailed } from './enrol.ts'
import { CannotStart, startAgent } from './start.ts'
import { StateInUse } from './state-lock.ts'
import { describeStatus, readStatus } from './status.ts'
import { agentVersion } from './version.ts'

/** 0: done. 1: it could not be done, for the reason printed. 2: the command line or the environment is wrong. */
process.exitCode = await perform(() => obey(readCommandLine(process.argv.slice(2))))

async function obey(line: CommandLine): Promise<void> {
  switch (line.command) {
    case 'help':
      return say(line.text)
    case 'version':
      return say(`${agentVersion}\n`)
    case 'enrol':
      return enrol(line)
    case 'status': {
      const { stateDir } = readConfig(line.stateDir)
      const status = readStatus(stateDir, createLog({ level: 'silent' }))
      return say(line.json ? `${JSON.stringify(status)}\n` : describeStatus(status))
    }
    case 'run':
      return run(line.stateDir)
  }
}

async function enrol(line: CommandLine & { command: 'enrol' }): Promise<void> {
  const { stateDir } = readConfig(line.stateDir)
  const { enrolment, already } = await enrolHost({ ...line, stateDir })
  const { hostName, hostId, serverUrl } = enrolment
  if (already) return say(`${stateDir} is enrolled with ${serverUrl} already, as ${hostName} (${hostId}).\n`)
  say(`Enrolled with ${serverUrl} as ${hostName} (${hostId}).\nNext: agent run --state-dir ${stateDir}\n`)
  if (serverUrl.startsWith('http:') && line.allowPlainHttp)
    say('This link is not encrypted: whoever can listen to it can read the repository passwords.\n')
}

async function run(stateDir: string | undefined): Promise<void> {
  const config = readConfig(stateDir)
  const log = createLog({ level: config.logLevel })
  // restic asks by SIGHUP whether the owner of a lock lives, and process ids are recycled.
  process.on('SIGHUP', () => log.info('ignored a SIGHUP'))
  const agent = await startAgent(config, log)
  await new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    // Whoever started us over an IPC channel is gone.
    process.once('disconnect', () => resolve())
  })
  await agent.stop()
  if (process.connected) process.disconnect?.()
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
    if (error instanceof EnrolmentFailed || error instanceof CannotStart || error instanceof StateInUse) {
      complain(error.message)
      return 1
    }
    throw error
  }
}

function say(text: string): void {
  process.stdout.write(text)
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`)
}
