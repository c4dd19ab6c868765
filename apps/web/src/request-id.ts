// Ids for acts that start something: the same act tried again carries the same id, so it starts only once.
import type { Id } from '@restic-manager/contract/ids'
import { newId } from '@restic-manager/contract/new-id'
import { useState } from 'react'

/** Gives an id for an input: the same one for the same input, until `done`. */
export function useRequestId(): { idFor: (input: unknown) => Id; done: () => void } {
  const [given] = useState(() => new Map<string, Id>())
  return {
    idFor: input => {
      const asked = JSON.stringify(input)
      const id = given.get(asked) ?? newId()
      given.set(asked, id)
      return id
    },
    done: () => given.clear(),
  }
}
