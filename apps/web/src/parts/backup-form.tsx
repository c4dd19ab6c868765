// What to back up now: repository, folders, what to leave out.
import { BackupSpec } from '@restic-manager/contract/command'
import type { Id } from '@restic-manager/contract/ids'
import type { HostView } from '@restic-manager/contract/views'
import { Button, Select } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { defaultExcludes, defaultPaths } from '../backup-defaults.ts'
import { useRequestId } from '../request-id.ts'
import { trpc } from '../trpc.ts'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import { SourceFields } from './source-fields.tsx'

/** What is wrong with the folders or patterns, in the server's own words. */
function complaintAbout(paths: string[], excludes: string[]): { paths?: string; excludes?: string } {
  if (paths.length === 0) return { paths: 'Add at least one folder.' }
  const issue = BackupSpec.safeParse({ paths, excludes }).error?.issues[0]
  if (issue === undefined) return {}
  const [field, index] = issue.path
  const value = typeof index === 'number' ? (field === 'paths' ? paths : excludes)[index] : undefined
  const sentence = value === undefined ? issue.message : `${value} ${issue.message}.`
  return field === 'paths' ? { paths: sentence } : { excludes: sentence }
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
  const [target, setTarget] = useState(repositoryId ?? initial?.repositoryId ?? host.repositories[0]?.id)
  const [paths, setPaths] = useState(initial?.paths ?? defaultPaths(host.os))
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
  const complaint = complaintAbout(paths, excludes)

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
      {host.state !== 'online' && (
        <Notice tone="warn" title={`${host.name} is ${host.state}.`}>
          The backup waits for it, for six hours at most.
        </Notice>
      )}
      {repositoryId === undefined && (
        <Select
          label="Repository"
          allowDeselect={false}
          data={host.repositories.map(({ id, name }) => ({ value: id, label: name }))}
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
      <MutationProblem what="The backup was not started." error={run.error} />
      <div className="row form-foot">
        <Button
          type="submit"
          variant="filled"
          loading={run.isPending}
          disabled={target === undefined}
          leftSection={<IconPlayerPlay size={16} stroke={1.75} aria-hidden />}
        >
          Back up now
        </Button>
      </div>
    </form>
  )
}
