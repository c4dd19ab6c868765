// The dialog that asks again for the strongest factor of the account, over whatever was being done.
import { Button, Modal } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { readProof, showAgain } from '../factors.ts'
import { answerProof } from '../proof.ts'
import { ProviderButton } from './provider-button.tsx'
import { SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import { ShowFactor } from './show-factor.tsx'

function Question() {
  const proof = useQuery({ queryKey: ['proof'], queryFn: readProof, staleTime: 0, gcTime: 0 })
  const cancel = <Button onClick={() => answerProof(false)}>Cancel</Button>
  if (proof.data === undefined)
    return proof.isError ? (
      <QueryProblem what="What counts as proof" query={proof} />
    ) : (
      <SkeletonRows rows={2} />
    )
  if (proof.data.includes('provider'))
    return (
      <>
        <p className="second">
          You leave this page for a moment. What you typed here is not kept: press the button once more when
          you are back.
        </p>
        <div className="row form-foot">
          {cancel}
          <ProviderButton errand={{ for: 'prove' }} back={location.pathname + location.search} />
        </div>
      </>
    )
  return (
    <ShowFactor ways={proof.data} verb="Continue" show={showAgain} onShown={() => answerProof(true)}>
      {cancel}
    </ShowFactor>
  )
}

/** What was being done goes on by itself afterwards. */
export function ProofDialog({ opened }: { opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={() => answerProof(false)}
      title="Show that it is you"
      size={440}
      zIndex={400}
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className="stack">
        <p className="second">
          This reaches far, so it needs a fresh proof. It is then good for ten minutes, and what you pressed
          is done.
        </p>
        <Question />
      </div>
    </Modal>
  )
}
