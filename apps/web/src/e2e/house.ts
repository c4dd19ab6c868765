// The whole product for end-to-end tests: the built server on its own database, as a process, with a folder of its own.
import path from 'node:path'
import {
  build,
  entries,
  makeThrowAway,
  policyOfThrowAway,
  removeThrowAway,
  runProgram,
  startAgentProgram,
  startServerProgram,
  stopProgram,
  type Program,
} from '../../../../scripts/processes.ts'

/** Starts a server as `npm start` does. Disposing stops every program it started and removes the folder. */
export async function openHouse() {
  await build()
  const folder = await makeThrowAway('rm-e2e-')
  const env = {
    RM_DATA_DIR: path.join(folder, 'server'),
    PORT: '0',
    DATABASE_URL: undefined,
    RM_LOG_LEVEL: 'error',
  }
  const server = await startServerProgram(env)
  const programs: Program[] = [server]
  return {
    folder,
    server,
    /** Runs one admin command and gives back what it printed. */
    admin: (...argv: string[]) => runProgram([entries.admin, ...argv], env),
    /** Pastes the line of the Add host dialog: enrols an agent with its token and starts it. */
    async pasteLine(line: string, name: string) {
      const token = /--token (\S+)/.exec(line)?.[1]
      const url = /--server (\S+)/.exec(line)?.[1]
      if (token === undefined || url === undefined) throw new Error(`no token or server in ${line}`)
      const stateDir = path.join(folder, name)
      await runProgram(
        [entries.agent, 'enrol', '--server', url, '--token', token, '--state-dir', stateDir, '--name', name],
        {},
      )
      const env = { RM_LOG_LEVEL: 'error', ...(await policyOfThrowAway(folder)) }
      programs.push(await startAgentProgram(name, stateDir, { env }))
    },
    async [Symbol.asyncDispose]() {
      for (const program of programs.toReversed()) await stopProgram(program)
      await removeThrowAway(folder)
    },
  }
}
