// The form of a repository that exists, over its page.
import type { RepositoryView } from '@restic-manager/contract/views'
import { Checkbox, Modal } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { keptMaintenance } from '../maintenance-draft.ts'
import { draftOf, updateRequest } from '../repository-draft.ts'
import { queryClient, refusalIn, trpc } from '../trpc.ts'
import { MutationProblem } from './query-problem.tsx'
import { RepositoryForm } from './repository-form.tsx'

type Edited = { repository: RepositoryView; onClose: () => void }

function EditForm({ repository, onClose }: Edited) {
  // The version that was opened: a live change meanwhile must not make an edit look newer than it is.
  const [opened] = useState(repository)
  // Only asked for when the edit makes the maintenance host one of the hosts that back up here.
  const [acceptsRisk, setAcceptsRisk] = useState(false)
  const read = () =>
    queryClient.invalidateQueries(trpc.repositories.get.queryFilter({ repositoryId: repository.id }))
  const save = useMutation(
    trpc.repositories.update.mutationOptions({
      onSuccess: async () => {
        await read()
        onClose()
      },
    }),
  )
  return (
    <RepositoryForm
      saved={opened}
      initial={draftOf(opened)}
      busy={save.isPending}
      submitWord="Save"
      onCancel={onClose}
      onSubmit={draft => {
        const kept = keptMaintenance(opened)
        save.mutate({
          ...updateRequest(draft, opened.id, opened.version),
          ...kept,
          ...(acceptsRisk && { acceptsRisk }),
        })
      }}
      problem={
        <>
          <MutationProblem
            what={
              refusalIn(save.error) === 'version_stale'
                ? 'Somebody else changed it meanwhile. Close this and open it again.'
                : 'The repository was not changed.'
            }
            error={save.error}
          />
          {(acceptsRisk || refusalIn(save.error) === 'risk_not_accepted') && (
            <Checkbox
              label={`I accept that a thief of ${opened.maintenanceHost?.name ?? 'its maintenance host'} could delete every backup here.`}
              checked={acceptsRisk}
              onChange={event => setAcceptsRisk(event.currentTarget.checked)}
            />
          )}
        </>
      }
    />
  )
}

/** A dialog; each opening starts from the repository as it is then. */
export function EditRepository({ opened, ...edited }: Edited & { opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={edited.onClose}
      title={`Edit ${edited.repository.name}`}
      size={760}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <EditForm {...edited} />
    </Modal>
  )
}
