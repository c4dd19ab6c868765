// The question for a fresh proof, over every page. Its code comes when it is asked for the first time.
import { useProofAsked } from '../proof.ts'
import { lazyDialog } from './lazy-dialog.tsx'

const ProofDialog = lazyDialog(async () => (await import('./proof-dialog.tsx')).ProofDialog)

/** Shown while some call waits for the proof. */
export function ProofAsked() {
  return <ProofDialog opened={useProofAsked()} />
}
