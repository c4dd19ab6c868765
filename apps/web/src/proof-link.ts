// A link of the client: a call that needs a fresh proof asks for it, and is then made once more by itself.
import type { TRPCClientError, TRPCLink } from '@trpc/client'
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import { observable } from '@trpc/server/observable'

const needsProof = (error: TRPCClientError<OperatorRouter>) => error.data?.refusal === 'second_factor_needed'

/** `prove` answers whether it was shown. Where it was not, or the second try is refused too, the refusal stands. */
export const proofLink =
  (prove: () => Promise<boolean>): TRPCLink<OperatorRouter> =>
  () =>
  ({ next, op }) =>
    observable(observer => {
      let stopped = false
      const go = (onError: (error: TRPCClientError<OperatorRouter>) => void) =>
        next(op).subscribe({
          next: value => observer.next(value),
          complete: () => observer.complete(),
          error: onError,
        })
      async function proveFirst(refusal: TRPCClientError<OperatorRouter>) {
        const shown = await prove()
        if (stopped) return
        if (shown) going = go(error => observer.error(error))
        else observer.error(refusal)
      }
      let going = go(error => {
        if (needsProof(error)) void proveFirst(error)
        else observer.error(error)
      })
      return () => {
        stopped = true
        going.unsubscribe()
      }
    })
