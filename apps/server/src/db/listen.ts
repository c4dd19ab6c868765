// One connection that listens, made anew whenever it is lost or refused, for as long as its server runs.
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import type { Log } from '@restic-manager/runtime/log'
import { codesIn } from './sql-state.ts'

export type Listening = {
  /** Whether nothing has been heard of changes for longer than a connection takes to be made anew. */
  isDeaf(): boolean
  close(): Promise<void>
}

type Ears = {
  hear: (payload: string) => void
  /** It listens, and may have missed something before: at the start, and after each silence. */
  missed: () => void
  /** How often the connection is asked whether it is still there. */
  askMs: number
  log?: Log | undefined
}

const DEAF_MS = 5_000
const LONGEST_PAUSE_MS = 1_000
const FAREWELL_SECONDS = 1

/**
 * Listens to `channel` where `sql` leads, on a connection of its own. Rejects when that cannot be at first. Later it tries without end:
 * a standby that does not lead yet refuses to listen, and keeps the connection open.
 */
export async function listen(sql: postgres.Sql, channel: string, ears: Ears): Promise<Listening> {
  const { hear, missed, askMs, log } = ears
  const stopped = new AbortController()
  let deafSince: number | undefined = performance.now()
  let wake = () => {}
  const client = postgres({
    ...sql.options,
    max: 1,
    idle_timeout: null,
    max_lifetime: null,
    fetch_types: false,
    onnotify: (_channel: string, payload: string) => hear(payload),
    onclose() {
      deafSince ??= performance.now()
      wake()
    },
  } as unknown as postgres.Options<Record<string, never>>)

  /** Said again to a connection that listens already it changes nothing, and shows that somebody is there. */
  async function ask() {
    await client`listen ${client(channel)}`
    if (deafSince === undefined) return
    deafSince = undefined
    missed()
  }

  function untilLost() {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    return Promise.race([promise, rest(askMs)])
  }
  const rest = (ms: number) => sleep(ms, undefined, { signal: stopped.signal, ref: false }).catch(() => {})

  async function goOn() {
    let failures = 0
    while (!stopped.signal.aborted) {
      if (failures === 0) await untilLost()
      else await rest(Math.min(LONGEST_PAUSE_MS, 50 * 2 ** failures) * (0.5 + Math.random() / 2))
      if (stopped.signal.aborted) return
      try {
        await ask()
        if (failures > 0) log?.info('the server hears of changes again')
        failures = 0
      } catch (error) {
        deafSince ??= performance.now()
        failures += 1
        const [code = 'unknown'] = codesIn(error)
        if (failures === 1)
          log?.warn(
            { code },
            'the server cannot listen for changes in the database: it looks for them now and then, and tries to listen again',
          )
      }
    }
  }

  const end = () => client.end({ timeout: FAREWELL_SECONDS })
  try {
    await ask()
  } catch (error) {
    await end()
    throw error
  }
  const going = goOn()
  return {
    isDeaf: () => deafSince !== undefined && performance.now() - deafSince > DEAF_MS,
    async close() {
      stopped.abort()
      wake()
      await Promise.all([end(), going])
    },
  }
}
