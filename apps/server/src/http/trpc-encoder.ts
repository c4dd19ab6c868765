// Between tRPC's own handler of WebSockets and a link: it sees every frame both ways, so it can count what has no answer yet.
import type { Encoder } from '@trpc/server/adapters/ws'
import type { Link, LinkLimits } from './socket-link.ts'

type Frame = { id?: number | string | null; method?: string; result?: { type?: string }; error?: unknown }

/** One for each link, and for one handler. */
export function encoderOf(link: Link, { mostSubscriptions }: Pick<LinkLimits, 'mostSubscriptions'>): Encoder {
  const calls = new Set<string>()
  const subscriptions = new Set<string>()
  return {
    decode(data) {
      const message = link.read(data) as Frame | null | (Frame | null)[]
      const frames = Array.isArray(message) ? message : [message]
      const opening = frames.filter(frame => frame?.method === 'subscription').length
      if (subscriptions.size + opening > mostSubscriptions)
        throw link.refused('too_many_subscriptions', 'Too many subscriptions.')
      for (const frame of frames) {
        if (frame?.method === 'subscription') subscriptions.add(String(frame.id))
        else if (frame?.method === 'query' || frame?.method === 'mutation') begin(String(frame.id))
      }
      return message
    },
    encode(message) {
      const { id, result, error } = message as Frame
      if (id !== undefined && id !== null && (error !== undefined || result?.type !== 'started')) {
        if (calls.delete(String(id))) link.ended()
        if (error !== undefined || result?.type === 'stopped') subscriptions.delete(String(id))
      }
      const text = JSON.stringify(message)
      link.weigh(text)
      return text
    },
  }

  function begin(id: string) {
    if (calls.has(id)) return
    calls.add(id)
    link.began()
  }
}
