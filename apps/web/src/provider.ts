// The identity provider as the page knows it: its name, the way there, and why somebody came back without success.
import { type ProviderProblem, providerProblems } from '@restic-manager/contract/provider-problems'
import { queryOptions } from '@tanstack/react-query'
import { proveItIsYou } from './proof.ts'
import { ask, complain } from './session.ts'

/** What the provider is called; null when operators sign in here only. */
export const providerQuery = queryOptions({
  queryKey: ['provider'],
  staleTime: Infinity,
  async queryFn(): Promise<string | null> {
    const response = await ask('GET', '/auth/provider')
    if (!response.ok) return complain(response, 'The server could not say how one may sign in.')
    const { name } = (await response.json()) as { name?: unknown }
    return typeof name === 'string' ? name : null
  },
})

/** What somebody goes to the provider for. `secret`: of the link of an invitation. */
export type Errand = { for: 'sign-in' | 'link' | 'prove' } | { for: 'invitation'; secret: string }

/** Leaves this page for the provider; the way back ends at the path `back`. The answer never comes when that works. */
export async function leaveForProvider(errand: Errand, back: string): Promise<never> {
  const begin = () => ask('POST', '/auth/provider/begin', { ...errand, back })
  let response = await begin()
  if ((await needsProof(response)) && (await proveItIsYou())) response = await begin()
  if (!response.ok) return complain(response, 'Signing in this way did not work. Try again.')
  const { url } = (await response.json()) as { url: string }
  location.assign(url)
  return new Promise(() => {})
}

async function needsProof(response: Response): Promise<boolean> {
  if (response.status !== 403) return false
  return ((await response.clone().json()) as { code?: unknown } | null)?.code === 'second_factor_needed'
}

/** The sentence of the word in `?problem=`, where the server sends somebody who comes back without success. */
export function problemIn(search: Readonly<Record<string, unknown>>): string | undefined {
  const word = search['problem']
  return typeof word === 'string' && Object.hasOwn(providerProblems, word)
    ? providerProblems[word as ProviderProblem]
    : undefined
}
