// The operators of a run: clients that ask again until they are answered, and remember what they were told.
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTRPCClient, httpLink, TRPCClientError, type TRPCClient } from '@trpc/client'
import superjson from 'superjson'
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import { signedIn } from '@restic-manager/testkit/signed-in'
import { runProgram } from '../../../scripts/processes.ts'
import type { Secret } from '@restic-manager/bench/checker/evidence'

export type Api = TRPCClient<OperatorRouter>

/** One call, cut off when it takes longer. */
const callMs = 6_000

/** Who asks, in all of a run. */
export type Operator = { email: string; password: string }

/** A client of one address. */
export function connectOperator(url: string, operator: Operator): Api {
  return createTRPCClient<OperatorRouter>({
    links: [
      httpLink({
        url: `${url}/trpc`,
        transformer: superjson,
        headers: signedIn(url, operator),
        fetch: (address, { signal, ...options } = {}) =>
          fetch(address as URL, {
            ...(options as RequestInit),
            signal: AbortSignal.any([AbortSignal.timeout(callMs), ...(signal ? [signal] : [])]),
          }),
      }),
    ],
  })
}

/** Makes an admin on the database of `env`. */
export async function makeOperator(
  admin: string,
  env: Record<string, string>,
  folder: string,
): Promise<{ operator: Operator; secrets: Secret[] }> {
  const password = randomBytes(12).toString('base64url')
  const passwordFile = path.join(folder, 'operator-password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  const email = 'chaos@example.org'
  await runProgram(
    [admin, 'create-operator', '--email', email, '--role', 'admin', '--password-file', passwordFile],
    env,
  )
  return {
    operator: { email, password },
    secrets: [{ name: 'the password of the operator', value: password }],
  }
}

/** How a wish went: `refused` in words of the server, or never answered. */
export type Answer<T> = { is: 'answered'; value: T } | { is: 'refused'; why: string } | { is: 'unanswered' }

/** Asks until there is an answer, `patienceMs` at most. What is asked must be safe to ask twice. */
export async function askUntilAnswered<T>(ask: () => Promise<T>, patienceMs = 20_000): Promise<Answer<T>> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return { is: 'answered', value: await ask() }
    } catch (error) {
      if (isRefusal(error)) return { is: 'refused', why: error.message }
      if (performance.now() > deadline) return { is: 'unanswered' }
    }
    await sleep(150)
  }
}

/** The server has understood and says no: asking again changes nothing. */
function isRefusal(error: unknown): error is Error {
  if (!(error instanceof TRPCClientError)) return false
  const status = (error.data as { httpStatus?: number } | undefined)?.httpStatus
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429
}
