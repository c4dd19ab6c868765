// What became of a line for new hosts: the steps of the one host, or the hosts of a line for several.
import { Loader } from '@mantine/core'
import { IconCheck } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useNow } from '../clock.ts'
import { countOf, formatClock } from '../format.ts'
import { joinProgress, type JoinStep } from '../join-progress.ts'
import { useZone } from '../time-zone.ts'
import { trpc } from '../trpc.ts'
import { ApprovalNotice } from './approval.tsx'
import { JoinHosts } from './join-hosts.tsx'
import { Notice } from './notice.tsx'
import { QueryProblem } from './query-problem.tsx'
import { Ago } from './when.tsx'

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

/** Reads the enrolment anew whenever something becomes of it. */
export function JoinWaiting({ enrolmentId, serverUrl }: { enrolmentId: string; serverUrl: string }) {
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
  const { refusedCount, lastRefusedAt, maxUses } = enrolment.data
  const { steps, ready, stuck } = joinProgress(enrolment.data, host.data, serverUrl, new Date(now))
  const waiting = enrolment.data.hosts.find(each => each.waitsSince !== null)
  const waited =
    now - enrolment.data.createdAt.getTime() > 20_000 || steps.findIndex(step => step.state === 'now') > 1
  return (
    <>
      {maxUses > 1 ? (
        <JoinHosts enrolment={enrolment.data} />
      ) : (
        <>
          {waiting !== undefined && <ApprovalNotice host={waiting} />}
          <ol className="join-steps" aria-live="polite">
            {steps.map(step => (
              <Step key={step.word} step={step} />
            ))}
          </ol>
        </>
      )}
      {maxUses === 1 && ready && host.data !== undefined && (
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
      {!ready && stuck !== undefined && waited && (maxUses === 1 || hostId === undefined) && (
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
