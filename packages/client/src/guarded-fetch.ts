// One request: given up after a time, and an answer that is not the server's own is told apart from one that is.

/** What tRPC hands to `fetch`, and reads of its answer. */
type Asked = { signal?: AbortSignal | null | undefined }
type Answer = { status: number; ok: boolean; headers: Headers; json: () => Promise<unknown> }

/** Something between here and the server answered, or there is no such server at this address. */
export class StrayAnswer extends Error {
  readonly response: Pick<Response, 'status' | 'headers'>
  constructor({ status, headers }: Response) {
    super('an answer that is not of this server')
    this.name = 'StrayAnswer'
    this.response = { status, headers }
  }
}

/** Each call of a batch has a result or an error. */
const isOurs = (answer: unknown): boolean =>
  [answer]
    .flat()
    .every(each => typeof each === 'object' && each !== null && ('result' in each || 'error' in each))

/** A `fetch` that rejects after `timeoutMs`, reading the answer included, and with a `StrayAnswer` for what is not an answer of tRPC. */
export const guardedFetch =
  (fetch: typeof globalThis.fetch, timeoutMs: number) =>
  async (address: unknown, { signal, ...request }: Asked = {}): Promise<Answer> => {
    const late = AbortSignal.timeout(timeoutMs)
    const response = await fetch(
      address as URL,
      { ...request, signal: signal == null ? late : AbortSignal.any([signal, late]) } as RequestInit,
    )
    const { status, ok, headers } = response
    return {
      ...{ status, ok, headers },
      async json() {
        const answer: unknown = await response.json().catch((error: unknown) => {
          throw error instanceof SyntaxError ? new StrayAnswer(response) : error
        })
        if (!isOurs(answer)) throw new StrayAnswer(response)
        return answer
      },
    }
  }
