// An operator for scripts: makes one on a fresh server and gives a typed client that acts as them.
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createTRPCClient, httpBatchLink } from '@trpc/client'
import superjson from 'superjson'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobRunRequest } from '@restic-manager/contract/requests'
import type { JobView } from '@restic-manager/contract/views'
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import { signedIn } from '@restic-manager/testkit/signed-in'
import { until } from '@restic-manager/testkit/until'
import { entries, runProgram, type Environment } from './processes.ts'

export type Api = ReturnType<typeof createTRPCClient<OperatorRouter>>

/** Makes an operator with a random password, an admin unless said otherwise, through the admin command; a client that acts as them. */
export async function makeOperator(
  server: { url: string; env: Environment },
  { email, name, role = 'admin', folder }: { email: string; name: string; role?: string; folder: string },
): Promise<{ api: Api; email: string; password: string }> {
  const password = randomBytes(12).toString('base64url')
  const passwordFile = path.join(folder, 'operator-password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  const admin = (...argv: string[]) => runProgram([entries.admin, ...argv], server.env)
  const who = ['--email', email, '--name', name, '--role', role, '--password-file', passwordFile]
  await admin('create-operator', ...who)
  const api = createTRPCClient<OperatorRouter>({
    links: [
      httpBatchLink({
        url: `${server.url}/trpc`,
        transformer: superjson,
        headers: signedIn(server.url, { email, password }),
      }),
    ],
  })
  return { api, email, password }
}

/** What a job is to do; its request id is made here. */
export type Order = JobRunRequest extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'requestId'>
    : never
  : never

/** Orders a job and waits for its end. `onLook` sees it every time it is looked at. */
export async function runToEnd(
  api: Api,
  order: Order,
  onLook: (job: JobView) => void = () => {},
): Promise<JobView> {
  const { jobId } = await api.jobs.run.mutate({ ...order, requestId: newId() } as JobRunRequest)
  return until(
    async () => {
      const job = await api.jobs.get.query({ jobId })
      onLook(job)
      return job
    },
    // A job called lost may still be heard of.
    ({ status }) => hasEnded(status) && status !== 'lost',
    { what: `the end of a job of kind ${order.kind}`, timeoutMs: 900_000, everyMs: 100 },
  )
}
