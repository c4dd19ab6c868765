// A server and one agent, built and started as they are shipped, for benchmarks that need the whole product.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTRPCClient, httpBatchLink } from '@trpc/client'
import superjson from 'superjson'
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import { until } from '@restic-manager/testkit/until'
import {
  build,
  enrolAgent,
  entries,
  runProgram,
  startAgentProgram,
  startServerProgram,
  stopProgram,
} from '../../../scripts/processes.ts'

/** Starts one server and one enrolled, connected agent in a temporary folder. Disposing stops both and removes it. */
export async function startFleet() {
  await build()
  const folder = await mkdtemp(path.join(tmpdir(), 'rm-bench-'))
  const env = {
    RM_DATA_DIR: path.join(folder, 'server'),
    PORT: '0',
    DATABASE_URL: undefined,
    RM_LOG_LEVEL: 'warn',
  }
  const server = await startServerProgram(env)
  const passwordFile = path.join(folder, 'password')
  await writeFile(passwordFile, randomBytes(12).toString('base64url'), { mode: 0o600 })
  const admin = (...argv: string[]) => runProgram([entries.admin, ...argv], env)
  const email = 'bench@example.net'
  await admin('create-operator', '--email', email, '--role', 'admin', '--password-file', passwordFile)
  const apiKey = await admin('create-api-key', '--operator', email, '--name', 'bench')
  const api = createTRPCClient<OperatorRouter>({
    links: [
      httpBatchLink({
        url: `${server.url}/trpc`,
        transformer: superjson,
        headers: { authorization: `Bearer ${apiKey}` },
      }),
    ],
  })
  const stateDir = path.join(folder, 'agent')
  await enrolAgent({ url: server.url, env }, stateDir, 'bench-host')
  const agent = await startAgentProgram('agent', stateDir)
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
      await rm(folder, { recursive: true, force: true })
    },
  }
}
