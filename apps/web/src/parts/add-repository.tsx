// Adds a repository: the form, then test, initialise and recovery kit in one go.
import type { Id } from '@restic-manager/contract/ids'
import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { createRequest, type Draft, environmentOf, newDraft } from '../repository-draft.ts'
import { composeUrl } from '../repository-address.ts'
import { useRequestId } from '../request-id.ts'
import { client, queryClient, trpc } from '../trpc.ts'
import { Panel, SkeletonRows } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'
import { RecoveryKitPanel } from './recovery-kit-panel.tsx'
import { RepositoryForm } from './repository-form.tsx'
import { TestRepository } from './test-repository.tsx'

type Saved = { repositoryId: Id; password: string; draft: Draft; jobId: Id | undefined; madeAt: Date }

function AfterSaving({
  saved,
  onReady,
  readyWord,
}: {
  saved: Saved
  onReady: (repositoryId: Id) => void
  readyWord: string
}) {
  const { draft, repositoryId } = saved
  return (
    <>
      <Panel title={`Test ${draft.name}`}>
        <TestRepository repositoryId={repositoryId} hosts={draft.hosts} firstJobId={saved.jobId} />
      </Panel>
      <RecoveryKitPanel
        of={{
          name: draft.name,
          kind: draft.kind,
          url: composeUrl(draft),
          password: saved.password,
          username: draft.username,
          credential: draft.credential,
          environment: environmentOf(draft),
          madeAt: saved.madeAt,
        }}
      />
      <div className="row form-foot">
        <Button variant="filled" onClick={() => onReady(repositoryId)}>
          {readyWord}
        </Button>
      </div>
    </>
  )
}

/** `hostId`: the host it is pre-filled for. `onReady` is called when the operator goes on. */
export function AddRepository({
  hostId,
  onReady,
  readyWord,
  onCancel,
}: {
  hostId?: Id | undefined
  onReady: (repositoryId: Id) => void
  readyWord: string
  onCancel?: () => void
}) {
  const [saved, setSaved] = useState<Saved>()
  const { idFor, done } = useRequestId()
  const hosts = useQuery(trpc.hosts.list.queryOptions({ limit: 2 }))
  const only = hosts.data?.counts.all === 1 ? hosts.data.rows[0] : undefined
  const forId = hostId ?? only?.id
  const host = useQuery(
    trpc.hosts.get.queryOptions({ hostId: forId ?? '' }, { enabled: forId !== undefined }),
  )
  const save = useMutation({
    mutationFn: async (draft: Draft): Promise<Saved> => {
      const { repositoryId, password } = await client.repositories.create.mutate(
        createRequest(draft, idFor(draft)),
      )
      const first = draft.hosts[0]
      // The repository stands whatever becomes of its first test: it can be started again from the page.
      const test =
        first === undefined
          ? undefined
          : await client.repositories.test
              .mutate({ requestId: idFor([repositoryId, 'test']), repositoryId, hostId: first.id })
              .catch(() => undefined)
      return {
        repositoryId,
        password: password ?? draft.password,
        draft,
        jobId: test?.jobId,
        madeAt: new Date(),
      }
    },
    onSuccess: result => {
      done()
      setSaved(result)
      void queryClient.invalidateQueries(trpc.repositories.list.pathFilter())
    },
  })

  if (saved !== undefined) return <AfterSaving saved={saved} onReady={onReady} readyWord={readyWord} />
  if (hosts.isPending || (forId !== undefined && host.isPending))
    return (
      <Panel flush>
        <SkeletonRows rows={5} height={52} />
      </Panel>
    )
  return (
    <Panel>
      <RepositoryForm
        initial={newDraft(host.data)}
        busy={save.isPending}
        problem={<MutationProblem what="The repository was not saved." error={save.error} />}
        submitWord="Save and test"
        onSubmit={draft => save.mutate(draft)}
        onCancel={onCancel}
      />
    </Panel>
  )
}
