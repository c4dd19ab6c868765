// Which operators are connected to this server, and whose sockets must close: signed out, removed, or allowed something else since.
import type { GetPrincipal } from '../auth/principal.ts'
import type { Principal } from '../context.ts'
import type { Bus } from '../db/bus.ts'
import type { Link } from './socket-link.ts'

export type OperatorSockets = {
  /** Takes a fresh connection in. `headers` are what it came with. */
  add(principal: Principal, headers: Headers, link: Link): void
  stop(): void
}

type Parts = { bus: Bus; getPrincipal: GetPrincipal; recheckMs: number }

/** Looks again at once when an account, a session or a key changes, and at every `recheckMs` for what ends by itself. */
export function watchOperatorSockets({ bus, getPrincipal, recheckMs }: Parts): OperatorSockets {
  const reviews = new Map<Link, { operatorId: string; review: () => void }>()
  const stopped = new AbortController()
  void watch()

  async function watch() {
    for await (const { everything, changes } of bus.wakeups([{ topic: 'operator' }], stopped.signal)) {
      const changed = new Set(changes.map(({ id }) => id))
      for (const { operatorId, review } of reviews.values())
        if (everything || changed.has(operatorId)) review()
    }
  }

  return {
    add(principal, headers, link) {
      const review = () => {
        getPrincipal(headers, { touch: false }).then(
          asked => {
            if (!mayTheSame(asked.principal, principal)) link.close('signedOut')
          },
          // A database that does not answer signs nobody out.
          () => {},
        )
      }
      const recheck = setInterval(review, recheckMs).unref()
      reviews.set(link, { operatorId: principal.operatorId, review })
      link.closed.addEventListener(
        'abort',
        () => {
          clearInterval(recheck)
          reviews.delete(link)
        },
        { once: true },
      )
      // What changed between the upgrade and now was announced before anybody listened for it here.
      review()
    },
    stop: () => stopped.abort(),
  }
}

/** Whether a socket that was opened for `then` may stay open for `now`. */
const mayTheSame = (now: Principal | undefined, then: Principal) =>
  now?.role === then.role && JSON.stringify(now.tags) === JSON.stringify(then.tags)
