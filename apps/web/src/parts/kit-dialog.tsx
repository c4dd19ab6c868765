// Lets an admin see the secrets of a repository once more, as its recovery kit. Nothing of it outlives the dialog.
import { Button, Modal } from '@mantine/core'
import { IconEye } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { RepositorySecrets } from '@restic-manager/contract/views'
import { client } from '../trpc.ts'
import { CodeBlock } from './code-block.tsx'
import { MutationProblem } from './query-problem.tsx'
import { RecoveryKitPanel } from './recovery-kit-panel.tsx'

type Of = { id: string; name: string }

const kitOf = ({
  readAt,
  username,
  credential,
  adminUsername,
  adminCredential,
  ...rest
}: RepositorySecrets) => ({
  ...rest,
  username: username ?? undefined,
  credential: credential ?? undefined,
  adminUsername: adminUsername ?? undefined,
  adminCredential: adminCredential ?? undefined,
  madeAt: readAt,
})

function Kit({ repository }: { repository: Of }) {
  // Here and not in the cache of queries and mutations: it goes when the dialog goes.
  const [secrets, setSecrets] = useState<RepositorySecrets>()
  const reveal = useMutation({
    mutationFn: async () =>
      setSecrets(await client.repositories.reveal.mutate({ repositoryId: repository.id })),
  })
  if (secrets !== undefined) return <RecoveryKitPanel of={kitOf(secrets)} last={false} />
  return (
    <div className="stack">
      <p>
        With the kit, plain restic restores everything without this server: the address, the password and the
        credentials of {repository.name}. Whoever has it can read the backups.
      </p>
      <CodeBlock text="••••••••••••••••" label="Repository password, hidden" />
      <p className="dim">The audit log will say that you have looked.</p>
      <MutationProblem what="The kit was not shown." error={reveal.error} />
      <div className="row form-foot">
        <Button
          variant="filled"
          loading={reveal.isPending}
          leftSection={<IconEye size={16} stroke={1.75} aria-hidden />}
          onClick={() => reveal.mutate()}
        >
          Show it
        </Button>
      </div>
    </div>
  )
}

/** A dialog; what was shown in it is gone when it closes. */
export function KitDialog({
  repository,
  opened,
  onClose,
}: {
  repository: Of
  opened: boolean
  onClose: () => void
}) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={`Recovery kit of ${repository.name}`}
      size={640}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <Kit repository={repository} />
    </Modal>
  )
}
