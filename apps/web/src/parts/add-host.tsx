// The dialog that lets machines in: one line to paste, and what becomes of it, live.
import type { Me } from '@restic-manager/contract/me'
import { Button, Modal } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useNow } from '../clock.ts'
import { countOf, formatLeft } from '../format.ts'
import { isForThisMachine, joinLine } from '../join-progress.ts'
import { usualWish, wishInShort, type JoinWish } from '../join-wish.ts'
import { useMe } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { refusalIn, trpc } from '../trpc.ts'
import { CodeBlock } from './code-block.tsx'
import { CopyText } from './copy.tsx'
import { JoinMore } from './join-more.tsx'
import { JoinWaiting } from './join-steps.tsx'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import './add-host.css'

function Joining({ me }: { me: Me }) {
  const now = useNow(10_000)
  const { idFor, done } = useRequestId()
  const create = useMutation(
    trpc.enrolments.create.mutationOptions({
      onSuccess: done,
      // The first answer was lost, and its token with it.
      onError: error => refusalIn(error) === 'request_reused' && done(),
    }),
  )
  const revoke = useMutation(trpc.enrolments.revoke.mutationOptions())
  const { mutate, reset, data: made } = create
  const [wish, setWish] = useState(() => usualWish(me.tags))
  const asked = useRef(false)
  useEffect(() => {
    if (asked.current) return
    asked.current = true
    mutate({ requestId: idFor(wish), ...wish })
  }, [mutate, idFor, wish])
  function ask(next: JoinWish) {
    reset()
    setWish(next)
    mutate({ requestId: idFor(next), ...next })
  }

  const serverUrl = me.publicUrl
  if (create.isError) {
    return (
      <>
        <MutationProblem what="No token could be made." error={create.error} />
        <Button onClick={() => ask(wish)}>Try again</Button>
      </>
    )
  }
  const line = made === undefined ? '' : joinLine(serverUrl, made.token, me.caPin)
  const left = made === undefined ? 0 : (made.expiresAt.getTime() - now) / 1_000
  return (
    <>
      <div>
        <div className="row join-head">
          <p className="strong grow">
            {wish.maxUses === 1 ? 'Paste this on the host' : 'Paste this on each host'}, in the folder that
            holds the checkout
          </p>
          <CopyText text={line} main />
        </div>
        <CodeBlock text={line === '' ? '\n\n' : line} label="Line to paste on the host" />
        <p className="dim join-note">
          {wish.maxUses === 1 ? 'One host' : `The same line for ${countOf(wish.maxUses, 'host')}`}
          {left > 0 && `, works for ${formatLeft(left)}`}. The token is shown once. A host makes its own key;
          nothing listens on it, it only dials out to <span className="mono">{serverUrl}</span>.
        </p>
        {isForThisMachine(serverUrl) && (
          <Notice tone="warn" title="Only this machine reaches that address.">
            For another one start the server with RM_PUBLIC_URL, the address it is reached at. The README says
            how, under Add a second host.
          </Notice>
        )}
        <JoinMore
          key={wishInShort(wish)}
          wish={wish}
          busy={create.isPending}
          onMake={next => {
            if (made !== undefined) revoke.mutate({ enrolmentId: made.enrolmentId })
            ask(next)
          }}
        />
      </div>
      {made === undefined ? (
        <div className="join-steps join-blank" />
      ) : (
        <JoinWaiting key={made.enrolmentId} enrolmentId={made.enrolmentId} serverUrl={serverUrl} />
      )}
      <div className="row join-foot">
        <p className="dim grow">
          You can close this. {wish.maxUses === 1 ? 'The host' : 'Each host'} appears in the list when it
          connects.
        </p>
        <Button
          leftSection={<IconRefresh size={16} stroke={1.75} aria-hidden />}
          loading={create.isPending}
          onClick={() => ask(wish)}
        >
          New token
        </Button>
      </div>
    </>
  )
}

/** Opening it makes a token at once: that is what it was opened for. */
export function AddHost({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const me = useMe()
  return (
    <Modal opened={opened} onClose={onClose} title="Add a host" closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className="stack">{opened && me !== undefined && <Joining me={me} />}</div>
    </Modal>
  )
}
