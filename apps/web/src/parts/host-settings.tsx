// Changes of a host: its name and tags, and its removal.
import type { HostView } from '@restic-manager/contract/views'
import { Button, Modal, TagsInput, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { queryClient, trpc } from '../trpc.ts'
import { DangerZone } from './danger-zone.tsx'
import { MutationProblem } from './query-problem.tsx'

const tag = /^[\p{L}\p{N}._:/-]{1,60}$/u

/** Name and tags in a dialog. */
export function EditHost({
  host,
  opened,
  onClose,
}: {
  host: HostView
  opened: boolean
  onClose: () => void
}) {
  const form = useForm({
    initialValues: { name: host.name, tags: host.tags },
    validate: {
      name: value => (value.trim() === '' ? 'Give the host a name.' : null),
      tags: value => {
        const wrong = value.find(word => !tag.test(word))
        return wrong === undefined ? null : `"${wrong}" may hold letters, digits and . _ : / - only.`
      },
    },
  })
  const save = useMutation(
    trpc.hosts.update.mutationOptions({
      onSuccess: async () => {
        await queryClient.invalidateQueries(trpc.hosts.get.queryFilter({ hostId: host.id }))
        onClose()
      },
    }),
  )
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={`Edit ${host.name}`}
      size={520}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        onSubmit={form.onSubmit(({ name, tags }) =>
          save.mutate({ hostId: host.id, name: name.trim(), tags }),
        )}
      >
        <TextInput label="Name" data-autofocus {...form.getInputProps('name')} />
        <TagsInput
          label="Tags"
          description="Press Enter after each."
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          {...form.getInputProps('tags')}
        />
        <MutationProblem what="The host was not changed." error={save.error} />
        <div className="row form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Modal>
  )
}

/** The part of the page that can do harm. */
export function HostDanger({ host }: { host: HostView }) {
  const navigate = useNavigate()
  const remove = useMutation(
    trpc.hosts.remove.mutationOptions({
      onSuccess: async () => {
        await navigate({ to: '/hosts' })
        await queryClient.invalidateQueries(trpc.hosts.list.pathFilter())
      },
    }),
  )
  return (
    <DangerZone
      noun="host"
      name={host.name}
      below="Its agent is shut out at once. Its snapshots stay in the repositories."
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ hostId: host.id, confirmName: host.name })}
    >
      <p>
        The agent on it is shut out at once and its key never works again. No more backups of it are made.
        Snapshots stay where they are, and its jobs stay in the list.
      </p>
    </DangerZone>
  )
}
