// One act on many hosts: what it would come to, then how far it is, then what came of it.
import type { BulkKind, BulkPreview, BulkProgress } from '@restic-manager/contract/bulk'
import type { HostState } from '@restic-manager/contract/views'
import { Button, Modal, Progress, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { countOf, formatCount } from '../format.ts'
import { useRequestId } from '../request-id.ts'
import { queryClient, trpc } from '../trpc.ts'
import { PauseFields, usePauseFields } from './pause-fields.tsx'
import { MutationProblem, QueryProblem } from './query-problem.tsx'

type Filter = {
  search?: string | undefined
  state?: HostState | 'late' | undefined
  tags?: string[] | undefined
}
export type Which = { hostIds: string[] } | { filter: Filter; total: number }

const words = {
  pause: { title: 'Pause', verb: 'Pause', done: 'paused', already: 'paused so already' },
  resume: { title: 'Resume', verb: 'Resume', done: 'resumed', already: 'not paused' },
  run: {
    title: 'Run backups of',
    verb: 'Run now',
    done: 'started',
    already: 'without a backup schedule to run',
  },
  addTag: { title: 'Tag', verb: 'Add tag', done: 'tagged', already: 'tagged so already' },
  removeTag: { title: 'Take a tag off', verb: 'Remove tag', done: 'changed', already: 'without this tag' },
} as const satisfies Record<BulkKind, Record<string, string>>

const tagRule = /^[\p{L}\p{N}._:/-]{1,60}$/u

/** What will happen, in words. */
function effectOf(kind: BulkKind, { hosts, already, schedules }: BulkPreview): string {
  const others = hosts - already
  switch (kind) {
    case 'pause':
      return `This pauses ${countOf(hosts, 'host')}${already > 0 ? `, of which ${formatCount(already)} are paused already and take on this reason and end` : ''}. ${countOf(schedules, 'schedule')} start nothing until then; what runs now goes on, and hosts can still be run by hand.`
    case 'resume':
      return `This resumes ${countOf(others, 'host')}${already > 0 ? `; ${formatCount(already)} are not paused` : ''}. Their schedules go on with their next slots.`
    case 'run':
      return `This runs ${countOf(schedules, 'backup schedule')} on ${countOf(others, 'host')} now, once${already > 0 ? `; ${formatCount(already)} have none to run` : ''}. Hosts that are offline run when they are back, for six hours at most.`
    case 'addTag':
      return `${countOf(others, 'host')} get this tag${already > 0 ? `; ${formatCount(already)} have it already` : ''}. Tags decide who sees a host.`
    case 'removeTag':
      return `${countOf(others, 'host')} lose this tag${already > 0 ? `; ${formatCount(already)} do not have it` : ''}. Tags decide who sees a host.`
  }
}

function Outcome({ progress }: { progress: BulkProgress }) {
  const { kind, hosts, done, changed, already, refused, why, finishedAt } = progress
  return (
    <div className="stack stack-sm" role="status">
      <Progress value={hosts === 0 ? 100 : (100 * done) / hosts} aria-label="Hosts done" />
      <p className="num">
        {finishedAt === null
          ? `${formatCount(done)} of ${countOf(hosts, 'host')} done. It goes on when this is closed.`
          : `${countOf(changed, 'host')} ${words[kind].done}${already > 0 ? `, ${formatCount(already)} ${words[kind].already}` : ''}${refused > 0 ? `, ${formatCount(refused)} refused` : ''}.`}
      </p>
      {why.length > 0 && (
        <ul className="bulk-why second">
          {why.map(({ hostId, hostName, sentence }) => (
            <li key={hostId}>
              <Link to="/hosts/$hostId" params={{ hostId }}>
                {hostName}
              </Link>
              : {sentence}
            </li>
          ))}
          {refused > why.length && <li>and {formatCount(refused - why.length)} more</li>}
        </ul>
      )}
    </div>
  )
}

/** `onDone` is called when the act has begun: what was chosen has been dealt with. */
export function BulkDialog({
  opened,
  kind,
  which,
  onClose,
  onDone,
}: {
  opened: boolean
  kind: BulkKind
  which: Which
  onClose: () => void
  onDone: () => void
}) {
  const fields = usePauseFields()
  const [tag, setTag] = useState('')
  const [begun, setBegun] = useState<string>()
  const { idFor } = useRequestId()
  const isTag = kind === 'addTag' || kind === 'removeTag'
  const named = isTag ? { tag } : {}
  const isTagGood = !isTag || tagRule.test(tag)
  // Only what was asked when it was opened is meant, whatever is chosen behind it.
  const [meant] = useState(which)
  const preview = useQuery(
    trpc.hosts.bulkPreview.queryOptions(
      { kind, ...named, ...meant },
      { enabled: isTagGood && begun === undefined, placeholderData: previous => previous },
    ),
  )
  const progress = useQuery(
    trpc.hosts.bulkProgress.queryOptions(
      { requestId: begun ?? '' },
      {
        enabled: begun !== undefined,
        refetchInterval: ({ state }) => (state.data?.finishedAt == null ? 500 : false),
      },
    ),
  ).data
  const told = {
    onSuccess: async (_: unknown, { requestId }: { requestId: string }) => {
      setBegun(requestId)
      await queryClient.invalidateQueries(trpc.hosts.list.pathFilter())
    },
  }
  const act = useMutation(trpc.hosts.bulk.mutationOptions(told))
  const label = useMutation(trpc.hosts.bulkTag.mutationOptions(told))
  const close = () => {
    if (begun !== undefined) onDone()
    onClose()
  }
  const press = () => {
    const requestId = idFor([kind, tag])
    if (kind === 'addTag' || kind === 'removeTag') label.mutate({ requestId, kind, tag, ...meant })
    else act.mutate({ requestId, kind, ...meant, ...(kind === 'pause' ? fields.wish() : {}) })
  }
  const count = 'hostIds' in meant ? meant.hostIds.length : meant.total
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={`${words[kind].title} ${countOf(count, 'host')}`}
      size={520}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          press()
        }}
      >
        {begun === undefined && (
          <>
            {isTag && (
              <TextInput
                label="Tag"
                data-autofocus
                value={tag}
                onChange={event => setTag(event.currentTarget.value.trim())}
                error={tag !== '' && !isTagGood && 'A tag may hold letters, digits and . _ : / - only.'}
              />
            )}
            <QueryProblem what="What this would do" query={preview} />
            {isTagGood && preview.data !== undefined && (
              <p className="second">{effectOf(kind, preview.data)}</p>
            )}
            {kind === 'pause' && <PauseFields fields={fields} />}
          </>
        )}
        {progress != null && <Outcome progress={progress} />}
        <MutationProblem what="Nothing was done." error={act.error ?? label.error} />
        <div className="row form-foot">
          <Button onClick={close}>{begun === undefined ? 'Cancel' : 'Close'}</Button>
          {begun === undefined && (
            <Button
              type="submit"
              variant="filled"
              loading={act.isPending || label.isPending}
              disabled={!isTagGood || !fields.isComplete || preview.data === undefined}
            >
              {words[kind].verb}
            </Button>
          )}
        </div>
      </form>
    </Modal>
  )
}
