// The dialog that invites somebody; its link is shown once.
import { Email } from '@restic-manager/contract/operators'
import { Button, Modal, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { queryClient, trpc } from '../trpc.ts'
import { OnceShown } from './once-shown.tsx'
import { MutationProblem } from './query-problem.tsx'
import { isWhole, type Reach, RoleFields } from './role-fields.tsx'

/** Asks for e-mail, role and hosts, then shows the link. */
export function InviteUser({ onClose }: { onClose: () => void }) {
  const [email, setEmail] = useState('')
  const [wrong, setWrong] = useState<string>()
  const [reach, setReach] = useState<Reach>({ role: 'operator', tags: null })
  const invite = useMutation(
    trpc.users.invite.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries(trpc.users.list.pathFilter()),
    }),
  )
  if (invite.data !== undefined)
    return (
      <OnceShown title="The link of the invitation" text={invite.data.link} onClose={onClose}>
        Give it to {email.trim().toLowerCase()} yourself, in a way that nobody else reads. It works once, for
        seven days, and is not shown again.
      </OnceShown>
    )
  return (
    <Modal
      opened
      onClose={onClose}
      title="Invite somebody"
      size={520}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        noValidate
        onSubmit={event => {
          event.preventDefault()
          const address = Email.safeParse(email)
          setWrong(address.success ? undefined : 'Enter an e-mail address, such as noor@example.com.')
          if (address.success) invite.mutate({ ...reach, email: address.data })
        }}
      >
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="off"
          data-autofocus
          error={wrong}
          value={email}
          onChange={event => setEmail(event.currentTarget.value)}
        />
        <RoleFields reach={reach} onChange={setReach} />
        <MutationProblem what="Nobody was invited." error={invite.error} />
        <div className="row form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={invite.isPending} disabled={!isWhole(reach)}>
            Make the link
          </Button>
        </div>
      </form>
    </Modal>
  )
}
