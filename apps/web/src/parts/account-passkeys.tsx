// The passkeys of one's account.
import type { AccountView } from '@restic-manager/contract/operators'
import { Button, Modal, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { browserWords } from '../browser-words.ts'
import { hasPasskeys, makePasskey } from '../factors.ts'
import { client, queryClient, trpc } from '../trpc.ts'
import { Confirm } from './confirm.tsx'
import { Empty, Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'
import { Ago } from './when.tsx'
import './account.css'

type Passkey = AccountView['passkeys'][number]

const readAgain = () => queryClient.invalidateQueries(trpc.account.get.pathFilter())

async function addPasskey(name: string) {
  const { options, ticket } = await client.account.beginPasskey.mutate()
  const response = await makePasskey(options)
  await client.account.addPasskey.mutate({ name, ticket, response: response as Record<string, never> })
}

function AddPasskey({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [name, setName] = useState(() => browserWords(navigator.userAgent))
  const add = useMutation({
    mutationFn: addPasskey,
    onSuccess: async () => {
      onClose()
      await readAgain()
    },
  })
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Add a passkey"
      size={480}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          if (name.trim() !== '') add.mutate(name.trim())
        }}
      >
        <p className="second">
          Your browser asks for the fingerprint, the face or the PIN of this device, or for a security key.
        </p>
        <TextInput
          label="Name"
          description="To tell it from others later."
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          maxLength={60}
          data-autofocus
          value={name}
          onChange={event => setName(event.currentTarget.value)}
        />
        <MutationProblem what="No passkey was added." error={add.error} />
        <div className="row form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={add.isPending} disabled={name.trim() === ''}>
            Continue
          </Button>
        </div>
      </form>
    </Modal>
  )
}

/** The panel with what there is, one more, and one fewer. */
export function Passkeys({ account: { passkeys } }: { account: AccountView }) {
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<Passkey>()
  const remove = useMutation(
    trpc.account.removePasskey.mutationOptions({
      onSuccess: async () => {
        setRemoving(undefined)
        await readAgain()
      },
    }),
  )
  return (
    <Panel
      title="Passkeys"
      count={passkeys.length === 0 ? 'none' : passkeys.length}
      flush
      actions={
        <Button disabled={!hasPasskeys()} onClick={() => setAdding(true)}>
          Add a passkey
        </Button>
      }
      foot={!hasPasskeys() && 'This browser makes passkeys only on a page that is served with https.'}
    >
      {passkeys.length === 0 && (
        <Empty title="Sign in without typing anything">
          A passkey lives in your device or security key, works for this server alone and cannot be phished.
          It counts as both steps.
        </Empty>
      )}
      {passkeys.map(passkey => (
        <div key={passkey.id} className="account-row">
          <div className="account-row-main">
            <p className="strong cut">{passkey.name}</p>
            <p className="dim">
              added <Ago at={passkey.createdAt} /> · used <Ago at={passkey.lastUsedAt} />
            </p>
          </div>
          <Button onClick={() => setRemoving(passkey)} aria-label={`Remove ${passkey.name}`}>
            Remove
          </Button>
        </div>
      ))}
      {adding && <AddPasskey opened onClose={() => setAdding(false)} />}
      <Confirm
        opened={removing !== undefined}
        onClose={() => {
          setRemoving(undefined)
          remove.reset()
        }}
        title={`Remove ${removing?.name ?? ''}?`}
        verb="Remove"
        busy={remove.isPending}
        problem={<MutationProblem what="It was not removed." error={remove.error} />}
        onConfirm={() => removing && remove.mutate({ passkeyId: removing.id })}
      >
        It lets nobody in any more. The device may go on offering it: remove it there too.
      </Confirm>
    </Panel>
  )
}
