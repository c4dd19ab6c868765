// A server and one agent, built and started as they are shipped, for benchmarks that need the whole product.
import path from 'node:path'
import { until } from '@restic-manager/testkit/until'
import { makeOperator } from '../../../../scripts/operator.ts'
import {
  build,
  type Environment,
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
  const { api, ...operator } = await makeOperator(
    { url: server.url, env },
    { email: 'bench@example.net', name: 'Bench', folder },
  )
  const stateDir = path.join(folder, 'agent')
  await enrolAgent({ url: server.url, env }, stateDir, 'bench-host')
  const startAgent = async (agentEnv: Environment = {}) =>
    startAgentProgram('agent', stateDir, { env: { ...(await policyOfThrowAway(folder)), ...agentEnv } })
  const untilOnline = (count: number) =>
    until(
      () => api.hosts.list.query({}),
      ({ counts }) => counts.online === count,
      { what: `${count} agents online`, timeoutMs: 120_000 },
    )
  let agent = await startAgent()
  const { rows } = await untilOnline(1)
  const hostId = rows[0]?.id ?? ''
  return {
    folder,
    ...{ api, operator },
    hostId,
    url: server.url,
    env,
    stateDir,
    serverPid: server.child.pid ?? 0,
    agentPid: () => agent.child.pid ?? 0,
    /** Stops the agent and starts it anew, with this in its environment. Resolves when it is connected. */
    async restartAgent(agentEnv?: Environment) {
      await stopProgram(agent)
      await untilOnline(0)
      agent = await startAgent(agentEnv)
      await untilOnline(1)
    },
    async [Symbol.asyncDispose]() {
      await stopProgram(agent)
      await stopProgram(server)
      await removeThrowAway(folder)
    },
  }
}
