// A server and one agent, built and started as they are shipped, for benchmarks that need the whole product.
import path from 'node:path'
import { until } from '@restic-manager/testkit/until'
import { makeOperator } from '../../../../scripts/operator.ts'
import {
  build,
  enrolAgent,
  makeThrowAway,
  policyOfThrowAway,
  removeThrowAway,
  startAgentProgram,
  startServerProgram,
  stopProgram,
} from '../../../../scripts/processes.ts'

/** Starts one server and one enrolled, connected agent in a temporary folder. Disposing stops both and removes it. */
export async function startFleet() {
  await build()
  const folder = await makeThrowAway('rm-bench-')
  const env = {
    RM_DATA_DIR: path.join(folder, 'server'),
    PORT: '0',
    DATABASE_URL: undefined,
    RM_LOG_LEVEL: 'warn',
  }
  const server = await startServerProgram(env)
  const { api } = await makeOperator(
    { url: server.url, env },
    { email: 'bench@example.net', name: 'Bench', folder },
  )
  const stateDir = path.join(folder, 'agent')
  await enrolAgent({ url: server.url, env }, stateDir, 'bench-host')
  const agent = await startAgentProgram('agent', stateDir, { env: await policyOfThrowAway(folder) })
  const { rows } = await until(
    () => api.hosts.list.query({}),
    ({ counts }) => counts.online === 1,
    {
      what: 'the agent online',
    },
  )
  const hostId = rows[0]?.id ?? ''
  return {
    folder,
    api,
    hostId,
    serverPid: server.child.pid ?? 0,
    agentPid: agent.child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      await stopProgram(agent)
      await stopProgram(server)
      await removeThrowAway(folder)
    },
  }
}
