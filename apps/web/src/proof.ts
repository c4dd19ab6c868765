// "Show that it is you": one question at a time, however many calls wait for its answer.
import { useSyncExternalStore } from 'react'

type Question = { answered: Promise<boolean>; answer: (shown: boolean) => void }

let question: Question | undefined
const listeners = new Set<() => void>()

function ask(next: Question | undefined) {
  question = next
  for (const tell of listeners) tell()
}

/** Asks whoever sits there for the strongest factor of the account. False: they would rather not. */
export function proveItIsYou(): Promise<boolean> {
  if (question === undefined) {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    ask({ answered: promise, answer: resolve })
    return promise
  }
  return question.answered
}

/** Ends the question: those who wait for it go on, or give up. */
export function answerProof(shown: boolean): void {
  const asked = question
  ask(undefined)
  asked?.answer(shown)
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Whether the question stands. */
export const useProofAsked = (): boolean => useSyncExternalStore(subscribe, () => question !== undefined)
