// What a retention would remove: a dry run on the host that would forget, followed to its list.
import { hasEnded } from '@restic-manager/contract/job-ended'
import { complaintAboutRetention, type Retention } from '@restic-manager/contract/retention'
import { Button, Select } from '@mantine/core'
import { IconEye } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { forgetGroups } from '../forget-groups.ts'
import { useRequestId } from '../request-id.ts'
import { tidyRetention } from '../retention-words.ts'
import { trpc } from '../trpc.ts'
import { whyEnded } from '../words.ts'
import { ForgetResult } from './forget-result.tsx'
import { LiveBar } from './live-bar.tsx'
import { Notice } from './notice.tsx'
import { Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'
import { Ago } from './when.tsx'

type Named = { id: string; name: string }

function Followed({ jobId, nameOf }: { jobId: string; nameOf: (scheduleId: string) => string }) {
  const { data: job } = useQuery(
    trpc.jobs.get.queryOptions(
      { jobId },
      { refetchInterval: query => (query.state.data && hasEnded(query.state.data.status) ? false : 2_000) },
    ),
  )
  if (job === undefined || !hasEnded(job.status)) {
    const waits = job?.waitsFor
    const isOffline = job?.status === 'queued' && !job.hostOnline
    return (
      <div className="panel-body stack stack-sm" role="status">
        <p className="dim">
          {waits != null
            ? `Waiting for ${waits.kind} of ${waits.hostName}…`
            : isOffline
              ? `${job.hostName} is offline. The preview starts when it comes back.`
              : `restic looks what would go${job === undefined ? '' : `, on ${job.hostName}`}…`}
        </p>
        <LiveBar share={undefined} label="Preview" still={waits != null || isOffline} />
      </div>
    )
  }
  const result = forgetGroups(job.stats)
  if (job.status !== 'succeeded' || result === undefined)
    return (
      <div className="panel-body">
        <Notice
          tone="bad"
          title={whyEnded(job) ?? 'The preview did not succeed.'}
          action={
            <Link to="/jobs/$jobId" params={{ jobId }}>
              Open the job
            </Link>
          }
        >
          {job.error !== null && job.error !== whyEnded(job) && job.error}
        </Notice>
      </div>
    )
  return <ForgetResult groups={result.groups} dryRun nameOf={group => nameOf(group.scheduleId)} />
}

/** `repositories`: those the schedule works on. `schedules`: whose snapshots it thins. */
export function RetentionPreview({
  hostId,
  repositories,
  schedules,
  retention,
}: {
  hostId: string
  repositories: Named[]
  schedules: Named[]
  retention: Retention
}) {
  const [chosen, setChosen] = useState<string>()
  const repository = repositories.find(({ id }) => id === chosen) ?? repositories[0]
  const { idFor, done } = useRequestId()
  const [shown, setShown] = useState<{ jobId: string; asked: string; at: Date }>()
  const tidy = tidyRetention(retention)
  const scheduleIds = schedules.map(({ id }) => id)
  const asked = JSON.stringify([repository?.id, tidy, scheduleIds])
  const preview = useMutation(trpc.schedules.previewRetention.mutationOptions())
  const complaint = complaintAboutRetention(tidy)
  const mayAsk = repository !== undefined && scheduleIds.length > 0 && complaint === undefined
  return (
    <Panel
      title="What it would remove"
      count={shown !== undefined && shown.asked === asked && <Ago at={shown.at} />}
      flush
      actions={
        <Button
          leftSection={<IconEye size={16} stroke={1.75} aria-hidden />}
          disabled={!mayAsk}
          loading={preview.isPending}
          onClick={() => {
            if (repository === undefined) return
            const wish = { hostId, repositoryId: repository.id, retention: tidy, scheduleIds }
            preview.mutate(
              { requestId: idFor([wish, shown?.jobId]), ...wish },
              {
                onSuccess: ({ jobId }) => {
                  done()
                  setShown({ jobId, asked, at: new Date() })
                },
              },
            )
          }}
        >
          Preview
        </Button>
      }
      foot="Nothing is removed by a preview or by saving. Every forget looks again before it removes anything."
    >
      {(repositories.length > 1 ||
        preview.error !== null ||
        shown === undefined ||
        shown.asked !== asked) && (
        <div className="panel-body stack stack-sm">
          {repositories.length > 1 && (
            <Select
              aria-label="Repository of the preview"
              allowDeselect={false}
              data={repositories.map(({ id, name }) => ({ value: id, label: `in ${name}` }))}
              value={repository?.id ?? null}
              onChange={value => value !== null && setChosen(value)}
            />
          )}
          <MutationProblem what="The preview was not started." error={preview.error} />
          {shown === undefined && (
            <p className="dim">
              {mayAsk
                ? 'A dry run lists which snapshots would go, and which rule keeps the others.'
                : 'Choose a repository, whose snapshots, and what to keep. Then see what would go.'}
            </p>
          )}
          {shown !== undefined && shown.asked !== asked && (
            <p className="tone-warn">The list below is of what stood here before. Preview again.</p>
          )}
        </div>
      )}
      {shown !== undefined && (
        <Followed
          key={shown.jobId}
          jobId={shown.jobId}
          nameOf={id => schedules.find(schedule => schedule.id === id)?.name ?? 'another schedule'}
        />
      )}
    </Panel>
  )
}
