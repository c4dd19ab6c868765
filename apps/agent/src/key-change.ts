// Another key for this host: made here, offered over a link that the one before has opened, and used from the next dial on.
import type { KeyObject } from 'node:crypto'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import { sentenceOf, serverWord } from './failure.ts'
import { dropNextKey, makeNextKey, openKeys, publicKeyOf } from './identity.ts'
import { isDiskFull } from './reserve.ts'
import type { Link } from './link.ts'

type Following = { stateDir: string; timing: Pick<Timing, 'answer' | 'keyWatch'>; log: Log }

/**
 * Follows one link, opened by `key`, until it is closed. When this host should have another key, that is offered; once the server
 * has it the link is closed, and the next dial proves the new one. Crashes in between change nothing: either key is good then.
 */
export function followKey({ stateDir, timing, log }: Following, link: Link, key: KeyObject): () => void {
  const provedWith = publicKeyOf(key)
  let isOffering = false

  async function look() {
    const wanted = publicKeyOf(openKeys(stateDir)[0] as KeyObject)
    if (wanted === provedWith || isOffering || link.closed.aborted) return
    isOffering = true
    const signal = AbortSignal.any([link.closed, AbortSignal.timeout(timing.answer)])
    await link.api.agent.offerKey.mutate({ publicKey: wanted }, { signal })
    log.info('the server has the new key of this host; it takes over with the next connection')
    link.close('this host changes its key')
  }

  function watch() {
    look().catch((error: unknown) => {
      if (link.closed.aborted) return
      log.warn({ why: sentenceOf(error) }, 'the server did not take the new key of this host')
      if (serverWord(error)?.refusal === 'key_taken') dropNextKey(stateDir)
      isOffering = serverWord(error)?.code === 'NOT_FOUND' // a server that is too old: it is asked again on the next link
    })
  }

  const timer = setInterval(watch, timing.keyWatch)
  link.closed.addEventListener('abort', () => clearInterval(timer), { once: true })
  watch()
  return watch
}

/** Makes the key that is to take over. A full disk only puts it off: it is asked for again after the next hello. */
export function beginKeyChange(stateDir: string, log: Log): void {
  try {
    makeNextKey(stateDir)
  } catch (error) {
    if (!isDiskFull(error)) throw error
    log.warn('the disk is too full for a new key')
  }
}
