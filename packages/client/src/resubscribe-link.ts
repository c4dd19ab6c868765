// A link that keeps a subscription open: an error or an end finishes one for good over the wire, so this opens the next.
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import type { TRPCClientError, TRPCLink } from '@trpc/client'
import { observable } from '@trpc/server/observable'
import { failureOf } from './failure.ts'
import { jitter } from './jitter.ts'

type Options = {
  /** Aborted once the client is closed: then an end is an end. */
  closed: AbortSignal
  /** Asks whether the server no longer knows who this is, which a socket cannot tell. */
  stranger: () => Promise<TRPCClientError<OperatorRouter> | undefined>
  /** How long to wait before each attempt. Milliseconds. */
  wait?: (attempt: number) => number
}

/**
 * Opens a subscription again whenever it ended without being asked to, from behind the last value that had an id. Only what trying
 * again cannot mend reaches the subscriber as an error: refused, not there, no longer signed in.
 */
export const resubscribeLink =
  ({ closed, stranger, wait = jitter }: Options): TRPCLink<OperatorRouter> =>
  () => {
    let asking: ReturnType<Options['stranger']> | undefined
    const askOnce = () =>
      (asking ??= stranger().finally(() => {
        asking = undefined
      }))
    return ({ op, next }) =>
      observable(observer => {
        let attempt = 0
        let over = false
        let lastId: string | undefined
        let timer: ReturnType<typeof setTimeout> | undefined
        let current: { unsubscribe(): void } | undefined
        const again = () => {
          if (over) return
          if (closed.aborted) return observer.complete()
          timer = setTimeout(open, wait(attempt))
          attempt += 1
        }
        const open = () => {
          const input = lastId === undefined ? op.input : { ...(op.input as object), lastEventId: lastId }
          current = next({ ...op, input }).subscribe({
            next: envelope => {
              const { result } = envelope
              // The end it announces is not one for who listens.
              if (result.type === 'stopped') return
              if (result.type === 'state' && result.state === 'connecting' && result.error)
                void askOnce().then(error => {
                  if (error !== undefined && !over) observer.error(error)
                })
              if (result.type === 'started') attempt = 0
              if ('id' in result && typeof result.id === 'string') lastId = result.id
              observer.next(envelope)
            },
            error: error => {
              if (failureOf(error).mayRepeat) again()
              else observer.error(error)
            },
            complete: again,
          })
        }
        open()
        return () => {
          over = true
          clearTimeout(timer)
          current?.unsubscribe()
        }
      })
  }
