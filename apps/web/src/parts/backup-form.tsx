// What to back up now: repository, folders, what to leave out.
import type { Id } from '@restic-manager/contract/ids'
import type { HostView } from '@restic-manager/contract/views'
import { Button, Select } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { defaultExcludes, defaultPaths } from '../backup-defaults.ts'
import { accessOf, whyForbidden } from '../host-policy.ts'
import { useRequestId } from '../request-id.ts'
import { complaintAboutSource } from '../source-complaints.ts'
import { trpc } from '../trpc.ts'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import { SourceFields } from './source-fields.tsx'

/** The first repository that the policy of the host lets it use, else the first of all. */
function allowedFirst({ repositories, policy }: HostView): Id | undefined {
  const allowed = repositories.find(each => whyForbidden(policy, { access: accessOf(each) }) === undefined)
  return (allowed ?? repositories[0])?.id
}

/** Pre-filled from the last backup of the host, else with sensible defaults. */
export function BackupForm({
  host,
  repositoryId,
  initial = host.suggestedBackup,
  onStarted,
}: {
  host: HostView
  repositoryId?: Id | undefined
  initial?: { repositoryId: Id; paths: string[]; excludes: string[] } | null
  onStarted: (jobId: Id) => void
}) {
  const [target, setTarget] = useState(repositoryId ?? initial?.repositoryId ?? allowedFirst(host))
  const [paths, setPaths] = useState(initial?.paths ?? defaultPaths(host))
  const [excludes, setExcludes] = useState<string[]>(initial?.excludes ?? defaultExcludes)
  const [tried, setTried] = useState(false)
  const { idFor, done } = useRequestId()
  const run = useMutation(
    trpc.jobs.run.mutationOptions({
      onSuccess: ({ jobId }) => {
        done()
        onStarted(jobId)
      },
    }),
  )
  const complaint = complaintAboutSource(paths, excludes)
  const whyNot = new Map(
    host.repositories.map(repository => [
      repository.id,
      whyForbidden(host.policy, { access: accessOf(repository) }),
    ]),
  )
  const forbidden = target === undefined ? undefined : whyNot.get(target)

  return (
    <form
      className="stack"
      noValidate
      onSubmit={event => {
        event.preventDefault()
        setTried(true)
        if (target === undefined || complaint.paths !== undefined || complaint.excludes !== undefined) return
        const asked = {
          hostId: host.id,
          repositoryId: target,
          kind: 'backup' as const,
          spec: { paths, excludes },
        }
        run.mutate({ requestId: idFor(asked), ...asked })
      }}
    >
      {!host.online && (
        <Notice tone="warn" title={`${host.name} is ${host.state === 'paused' ? 'offline' : host.state}.`}>
          The backup waits for it, for six hours at most.
        </Notice>
      )}
      {repositoryId === undefined && (
        <Select
          label="Repository"
          allowDeselect={false}
          data={host.repositories.map(({ id, name }) => {
            const isForbidden = whyNot.get(id) !== undefined
            return { value: id, label: isForbidden ? `${name} (host policy)` : name, disabled: isForbidden }
          })}
          value={target ?? null}
          onChange={value => value !== null && setTarget(value)}
        />
      )}
      <SourceFields
        paths={paths}
        excludes={excludes}
        onPaths={setPaths}
        onExcludes={setExcludes}
        complaints={tried ? complaint : {}}
      />
      {forbidden !== undefined && (
        <Notice tone="warn" title="The policy of this host does not allow this backup.">
          {forbidden}
        </Notice>
      )}
      <MutationProblem what="The backup was not started." error={run.error} />
      <div className="row form-foot">
        <Button
          type="submit"
          variant="filled"
          loading={run.isPending}
          disabled={target === undefined || forbidden !== undefined}
          leftSection={<IconPlayerPlay size={16} stroke={1.75} aria-hidden />}
        >
          Back up now
        </Button>
      </div>
    </form>
  )
}
