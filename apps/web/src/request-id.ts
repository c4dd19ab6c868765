// Ids for acts that start something: the same act tried again carries the same id, so it starts only once.
import { newId, type Id } from '@restic-manager/contract/ids'
import { useRef } from 'react'

/** Gives an id for an input: the same one while the input stays the same, until `done`. */
export function useRequestId(): { idFor: (input: unknown) => Id; done: () => void } {
  const last = useRef<{ input: string; id: Id }>(undefined)
  return {
    idFor: input => {
      const asked = JSON.stringify(input)
      if (last.current?.input !== asked) last.current = { input: asked, id: newId() }
      return last.current.id
    },
    done: () => {
      last.current = undefined
    },
  }
}
