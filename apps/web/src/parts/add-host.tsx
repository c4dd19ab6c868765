// The dialog that lets a machine in: one line to paste, and steps that turn green as the host takes them.
import { Button, Loader, Modal, Switch } from '@mantine/core'
import { IconCheck, IconRefresh } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useNow } from '../clock.ts'
import { countOf, formatClock, formatLeft } from '../format.ts'
import { joinLine, joinProgress, type JoinStep } from '../join-progress.ts'
import { useMe } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { useZone } from '../time-zone.ts'
import { refusalIn, trpc } from '../trpc.ts'
import { ApprovalNotice } from './approval.tsx'
import { CodeBlock } from './code-block.tsx'
import { CopyText } from './copy.tsx'
import { Notice } from './notice.tsx'
import { MutationProblem, QueryProblem } from './query-problem.tsx'
import { Ago } from './when.tsx'
import './add-host.css'

function Step({ step }: { step: JoinStep }) {
  const zone = useZone()
  return (
    <li className={`join-step join-${step.state}`} aria-current={step.state === 'now' ? 'step' : undefined}>
      <span className="join-mark" aria-hidden>
        {step.state === 'done' && <IconCheck size={14} stroke={2.25} />}
        {step.state === 'now' && <Loader size={14} />}
      </span>
      <span className="grow">
        <span className="join-word">
          {step.word}
          {step.state === 'now' && '…'}
        </span>
        {step.detail !== undefined && <span className="join-detail dim">{step.detail}</span>}
      </span>
      {step.at !== undefined && <span className="dim num">{formatClock(step.at, zone, true)}</span>}
      {step.state === 'now' && <span className="dim">now</span>}
    </li>
  )
}

function Waiting({ enrolmentId, serverUrl }: { enrolmentId: string; serverUrl: string }) {
  const now = useNow(1_000)
  const enrolment = useQuery(trpc.enrolments.get.queryOptions({ enrolmentId }))
  const hostId = enrolment.data?.hosts.at(-1)?.id
  const host = useQuery(
    trpc.hosts.get.queryOptions({ hostId: hostId ?? '' }, { enabled: hostId !== undefined }),
  )
  if (enrolment.data === undefined)
    return enrolment.isError ? (
      <QueryProblem what="The enrolment" query={enrolment} />
    ) : (
      <div className="join-steps join-blank" />
    )
  const { steps, ready, stuck } = joinProgress(enrolment.data, host.data, serverUrl, new Date(now))
  const waiting = enrolment.data.hosts.find(each => each.waitsSince !== null)
  const { refusedCount, lastRefusedAt } = enrolment.data
  const waited =
    now - enrolment.data.createdAt.getTime() > 20_000 || steps.findIndex(step => step.state === 'now') > 1
  return (
    <>
      {waiting !== undefined && <ApprovalNotice host={waiting} />}
      <ol className="join-steps" aria-live="polite">
        {steps.map(step => (
          <Step key={step.word} step={step} />
        ))}
      </ol>
      {ready && host.data !== undefined && (
        <Notice
          tone="good"
          title={`${host.data.name} is online.`}
          action={
            <Link to="/hosts/$hostId" params={{ hostId: host.data.id }} className="strong">
              Open the host
            </Link>
          }
        >
          It runs agent {host.data.agentVersion} and restic {host.data.resticVersion}.
        </Notice>
      )}
      {!ready && stuck !== undefined && waited && (
        <Notice tone="warn" title={stuck.title}>
          {stuck.why}
          {stuck.try !== undefined && <code className="join-try mono">{stuck.try}</code>}
        </Notice>
      )}
      {refusedCount > 0 && (
        <Notice tone="bad" title={`This token was refused ${countOf(refusedCount, 'time')}.`}>
          Somebody tried it after it was used, revoked or expired, the last time <Ago at={lastRefusedAt} />.
          If that was not you, find out where the line was seen.
        </Notice>
      )}
    </>
  )
}

function Joining() {
  const me = useMe()
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
  const asked = useRef(false)
  const { mutate } = create
  const [needsApproval, setNeedsApproval] = useState(false)
  const askFor = (wish = needsApproval) => mutate({ requestId: idFor('enrolment'), needsApproval: wish })
  useEffect(() => {
    if (asked.current) return
    asked.current = true
    mutate({ requestId: idFor('enrolment') })
  }, [mutate, idFor])

  const serverUrl = me?.publicUrl ?? location.origin
  if (create.isError) {
    return (
      <>
        <MutationProblem what="No token could be made." error={create.error} />
        <Button onClick={() => askFor()}>Try again</Button>
      </>
    )
  }
  const line = create.data === undefined ? '' : joinLine(serverUrl, create.data.token, me?.caPin)
  const left = create.data === undefined ? 0 : (create.data.expiresAt.getTime() - now) / 1_000
  return (
    <>
      <div>
        <div className="row join-head">
          <p className="strong grow">Paste this on the host, in the folder that holds the checkout</p>
          <CopyText text={line} main />
        </div>
        <CodeBlock text={line === '' ? '\n\n' : line} label="Line to paste on the host" />
        <p className="dim join-note">
          One host{left > 0 && `, works for ${formatLeft(left)}`}. The token is shown once. The host makes its
          own key; nothing listens on it, it only dials out to <span className="mono">{serverUrl}</span>.
        </p>
        <Switch
          mt={12}
          label="Wait until an admin has compared its fingerprint"
          description="Makes a new line; the one above stops working."
          checked={needsApproval}
          disabled={create.isPending}
          onChange={event => {
            const wish = event.currentTarget.checked
            setNeedsApproval(wish)
            if (create.data !== undefined) revoke.mutate({ enrolmentId: create.data.enrolmentId })
            create.reset()
            askFor(wish)
          }}
        />
      </div>
      {create.data === undefined ? (
        <div className="join-steps join-blank" />
      ) : (
        <Waiting enrolmentId={create.data.enrolmentId} serverUrl={serverUrl} />
      )}
      <div className="row join-foot">
        <p className="dim grow">You can close this. The host appears in the list when it connects.</p>
        <Button
          leftSection={<IconRefresh size={16} stroke={1.75} aria-hidden />}
          loading={create.isPending}
          onClick={() => {
            create.reset()
            askFor()
          }}
        >
          New token
        </Button>
      </div>
    </>
  )
}

/** Opening it makes a token at once: that is what it was opened for. */
export function AddHost({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add a host" closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className="stack">{opened && <Joining />}</div>
    </Modal>
  )
}
