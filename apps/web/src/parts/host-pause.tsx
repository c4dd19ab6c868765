// Pausing one host, and what its page says while it is paused.
import type { HostView } from '@restic-manager/contract/views'
import { Button, Modal } from '@mantine/core'
import { IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useMay } from '../me.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Notice } from './notice.tsx'
import { PauseFields, usePauseFields } from './pause-fields.tsx'
import { MutationProblem } from './query-problem.tsx'
import { Ago, When } from './when.tsx'

const readAgain = (hostId: string) => queryClient.invalidateQueries(trpc.hosts.get.queryFilter({ hostId }))

function PauseDialog({ host, onClose }: { host: HostView; onClose: () => void }) {
  const fields = usePauseFields()
  const pause = useMutation(
    trpc.hosts.pause.mutationOptions({
      onSuccess: async () => {
        await readAgain(host.id)
        onClose()
      },
    }),
  )
  return (
    <Modal
      opened
      onClose={onClose}
      title={`Pause ${host.name}?`}
      size={480}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          pause.mutate({ hostId: host.id, ...fields.wish() })
        }}
      >
        <p className="second">
          Its schedules start nothing while it is paused; their slots are listed as skipped. What runs or is
          queued now goes on, and it can still be run by hand.
        </p>
        <PauseFields fields={fields} />
        <MutationProblem what="The host was not paused." error={pause.error} />
        <div className="row form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" disabled={!fields.isComplete} loading={pause.isPending}>
            Pause host
          </Button>
        </div>
      </form>
    </Modal>
  )
}

/** The button on the page of a host that is not paused. */
export function PauseHost({ host }: { host: HostView }) {
  const [asking, setAsking] = useState(false)
  if (host.state !== 'online' && host.state !== 'offline') return null
  return (
    <>
      <Button
        leftSection={<IconPlayerPause size={16} stroke={1.75} aria-hidden />}
        onClick={() => setAsking(true)}
      >
        Pause
      </Button>
      {asking && <PauseDialog host={host} onClose={() => setAsking(false)} />}
    </>
  )
}

/** Who paused it, since when and until when, with the button that ends it. */
export function PausedNotice({ host }: { host: HostView }) {
  const mayResume = useMay('operator')
  const resume = useMutation(trpc.hosts.resume.mutationOptions({ onSuccess: () => readAgain(host.id) }))
  if (host.pause === null) return null
  const { since, until, by, reason } = host.pause
  return (
    <Notice
      tone="accent"
      title={
        <>
          Paused by {by} <Ago at={since} />
          {until === null ? (
            ', until somebody resumes it.'
          ) : (
            <>
              , until <When at={until} />.
            </>
          )}
        </>
      }
      action={
        mayResume && (
          <Button
            leftSection={<IconPlayerPlay size={16} stroke={1.75} aria-hidden />}
            loading={resume.isPending}
            onClick={() => resume.mutate({ hostId: host.id })}
          >
            Resume
          </Button>
        )
      }
    >
      {reason !== null && <>“{reason}” </>}
      Its schedules start nothing until then. It can still be run by hand.
      {!host.online && (
        <>
          {' '}
          It is offline, last seen <Ago at={host.lastSeenAt} />.
        </>
      )}
      <MutationProblem what="The host was not resumed." error={resume.error} />
    </Notice>
  )
}
