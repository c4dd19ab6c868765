// The question for a fresh proof, over every page. Its code comes when it is asked for the first time.
import { Suspense, useState } from 'react'
import { useProofAsked } from '../proof.ts'
import { lazyDialog } from './lazy-dialog.tsx'

const ProofDialog = lazyDialog(async () => (await import('./proof-dialog.tsx')).ProofDialog)

/** Shown while some call waits for the proof. */
export function ProofAsked() {
  const asked = useProofAsked()
  const [wasAsked, setWasAsked] = useState(false)
  if (asked && !wasAsked) setWasAsked(true)
  return <Suspense>{wasAsked && <ProofDialog opened={asked} />}</Suspense>
}
