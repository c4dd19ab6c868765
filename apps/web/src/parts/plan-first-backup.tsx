// Last step of the set-up: the pre-filled plan in words, and the button that starts the first backup.
import type { Id } from '@restic-manager/contract/ids'
import type { HostView, RepositoryView } from '@restic-manager/contract/views'
import { Button, Checkbox } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { backupOf, firstPlan, mayForget, timeOfPlan, upkeepOf } from '../first-plan.ts'
import { maintenanceDraftOf, maintenanceRequest } from '../maintenance-draft.ts'
import { useRequestId } from '../request-id.ts'
import { retentionInShort, usualRetention } from '../retention-words.ts'
import { scheduleInWords } from '../schedule-words.ts'
import { client, queryClient, trpc } from '../trpc.ts'
import { ClockInput } from './clock-input.tsx'
import { Panel } from './panel.tsx'
import { Phrase } from './phrase.tsx'
import { MutationProblem, QueryProblem } from './query-problem.tsx'
import './schedule-editor.css'

type Source = { paths: string[]; excludes: string[] }
type Props = {
  hostId: Id
  repositoryId: Id
  source: Source
  onStarted: (jobId: Id) => void
  onBack: () => void
}

/** Makes what is planned and starts it. Each step carries its own request id: a second press goes on where the first stopped. */
function useStart(
  host: HostView,
  repository: RepositoryView,
  source: Source,
  onStarted: (jobId: Id) => void,
) {
  const { idFor, done } = useRequestId()
  return useMutation({
    mutationFn: async (plan: ReturnType<typeof firstPlan>) => {
      const hostId = host.id
      const create = async (schedule: ReturnType<typeof backupOf>) =>
        (await client.schedules.create.mutate({ requestId: idFor([hostId, schedule]), hostId, schedule }))
          .scheduleId
      if (plan.maintains && repository.maintenanceHost === null) {
        const now = await client.repositories.get.query({ repositoryId: repository.id })
        const draft = { ...maintenanceDraftOf(now), host, acceptsRisk: true }
        if (now.maintenanceHost === null)
          await client.repositories.update.mutate(maintenanceRequest(now, draft))
      }
      if (repository.resticId === null) {
        const init = { hostId, repositoryId: repository.id, kind: 'init' as const, spec: {} }
        await client.jobs.run.mutate({ requestId: idFor(init), ...init })
      }
      const scheduleId = await create(backupOf(plan, host, repository, source))
      for (const schedule of upkeepOf(plan, host, repository, scheduleId)) await create(schedule)
      const { jobIds } = await client.schedules.runNow.mutate({ requestId: idFor(scheduleId), scheduleId })
      return jobIds[0]
    },
    onSuccess: jobId => {
      done()
      void queryClient.invalidateQueries()
      if (jobId !== undefined) onStarted(jobId)
    },
  })
}

function Plan({
  host,
  repository,
  source,
  onStarted,
  onBack,
}: Omit<Props, 'hostId' | 'repositoryId'> & { host: HostView; repository: RepositoryView }) {
  const [plan, setPlan] = useState(() => firstPlan(host, repository))
  const change = (next: Partial<typeof plan>) => setPlan(old => ({ ...old, ...next }))
  const start = useStart(host, repository, source, onStarted)
  const backup = backupOf(plan, host, repository, source)
  const keeping = mayForget(repository, plan)
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        start.mutate(plan)
      }}
    >
      <Panel title={`Plan for ${host.name}`}>
        <div className="stack">
          <p className="schedule-words">
            <Phrase of={scheduleInWords(backup, { host, repositories: [repository], forgets: [] })} />
          </p>
          <div className="field-third">
            <ClockInput label="Each day at" value={timeOfPlan(plan)} onChange={at => change({ at })} />
          </div>
          <Checkbox
            label="Let old snapshots go"
            description={
              keeping
                ? `Keeps ${retentionInShort(usualRetention(!repository.mayDelete))}; the others go.`
                : 'Hosts may only add there: it takes a maintenance host, below.'
            }
            checked={plan.keeps && keeping}
            disabled={!keeping}
            onChange={event => change({ keeps: event.currentTarget.checked })}
          />
          <Checkbox
            label="Check the repository every Saturday"
            description="Whether its structure is sound, without reading all data back."
            checked={plan.checks}
            onChange={event => change({ checks: event.currentTarget.checked })}
          />
          {repository.maintenanceHost === null && (
            <Checkbox
              label={`${host.name} also frees space, every Sunday`}
              description={`I accept that whoever takes over ${host.name} can delete its backups, until another host maintains the repository.`}
              checked={plan.maintains}
              onChange={event =>
                change({
                  maintains: event.currentTarget.checked,
                  ...(event.currentTarget.checked && { keeps: true }),
                })
              }
            />
          )}
          <p className="dim">
            All of it can be changed on the page of the host. The first backup starts now
            {repository.resticId === null && ', after the repository was initialised'}.
          </p>
          <MutationProblem what="The first backup was not started." error={start.error} />
        </div>
      </Panel>
      <div className="row set-up-foot">
        <Button onClick={onBack}>Back</Button>
        <span className="grow" />
        <Button
          type="submit"
          variant="filled"
          loading={start.isPending}
          leftSection={<IconPlayerPlay size={16} stroke={1.75} aria-hidden />}
        >
          Start the first backup
        </Button>
      </div>
    </form>
  )
}

/** Saves the plan of a host and runs its backup at once. */
export function PlanFirstBackup({ hostId, repositoryId, ...more }: Props) {
  const host = useQuery(trpc.hosts.get.queryOptions({ hostId }))
  const repository = useQuery(trpc.repositories.get.queryOptions({ repositoryId }))
  if (host.data === undefined) return <QueryProblem what="The host" query={host} />
  if (repository.data === undefined) return <QueryProblem what="The repository" query={repository} />
  return <Plan host={host.data} repository={repository.data} {...more} />
}
