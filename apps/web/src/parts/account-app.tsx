// The authenticator app of one's account, and the recovery codes that stand in for it.
import type { AccountView } from '@restic-manager/contract/operators'
import { Button, Modal, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { countOf } from '../format.ts'
import { useMe } from '../me.ts'
import { queryClient, trpc } from '../trpc.ts'
import { CodeBlock } from './code-block.tsx'
import { Confirm } from './confirm.tsx'
import { OnceShown } from './once-shown.tsx'
import { Panel } from './panel.tsx'
import { QrCode } from './qr-code.tsx'
import { MutationProblem } from './query-problem.tsx'
import './account.css'

const readAgain = () => queryClient.invalidateQueries(trpc.account.get.pathFilter())

function SetUpApp({
  begun,
  onClose,
  onDone,
}: {
  begun: { address: string; secret: string } | undefined
  onClose: () => void
  onDone: (codes: string[]) => void
}) {
  const [code, setCode] = useState('')
  const confirm = useMutation(
    trpc.account.confirmSecondFactor.mutationOptions({ onSuccess: ({ codes }) => onDone(codes) }),
  )
  return (
    <Modal
      opened={begun !== undefined}
      onClose={onClose}
      title="Set up an authenticator app"
      size={560}
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {begun !== undefined && (
        <form
          className="stack"
          onSubmit={event => {
            event.preventDefault()
            if (code.length === 6) confirm.mutate({ code })
          }}
        >
          <div className="app-set-up">
            <QrCode text={begun.address} label="QR code for the authenticator app" />
            <div className="stack grow">
              <p className="second">Scan this with the app, or type this secret into it:</p>
              <CodeBlock label="Secret for the app" text={begun.secret.replaceAll(/(.{4})(?=.)/g, '$1 ')} />
              <TextInput
                label="Code that the app shows"
                inputMode="numeric"
                autoComplete="one-time-code"
                data-autofocus
                value={code}
                onChange={event => setCode(event.currentTarget.value.replaceAll(/\D/g, '').slice(0, 6))}
              />
            </div>
          </div>
          <MutationProblem what="That was not it." error={confirm.error} />
          <div className="row form-foot">
            <Button onClick={onClose}>Cancel</Button>
            <Button type="submit" variant="filled" loading={confirm.isPending} disabled={code.length < 6}>
              Turn on
            </Button>
          </div>
        </form>
      )}
    </Modal>
  )
}

/** The panel. Codes and secrets are shown when they are made, never again. */
export function AuthenticatorApp({ account: { secondFactor } }: { account: AccountView }) {
  const me = useMe()
  const [codes, setCodes] = useState<string[]>()
  const [removing, setRemoving] = useState(false)
  const begin = useMutation(trpc.account.beginSecondFactor.mutationOptions())
  const renew = useMutation(
    trpc.account.renewRecoveryCodes.mutationOptions({
      onSuccess: ({ codes }) => {
        setCodes(codes)
        void readAgain()
      },
    }),
  )
  const remove = useMutation(
    trpc.account.removeSecondFactor.mutationOptions({
      onSuccess: () => {
        setRemoving(false)
        void readAgain()
      },
    }),
  )
  return (
    <Panel
      title="Authenticator app"
      count={secondFactor === null ? 'off' : 'on'}
      actions={
        secondFactor === null ? (
          <Button variant="filled" loading={begin.isPending} onClick={() => begin.mutate()}>
            Set up
          </Button>
        ) : (
          <Button onClick={() => setRemoving(true)}>Turn off</Button>
        )
      }
    >
      <div className="stack">
        {secondFactor === null ? (
          <p className="second">
            A code from your phone after the password. Whoever learns the password alone then stays outside.
          </p>
        ) : (
          <div className="account-line">
            <p className={secondFactor.recoveryCodesLeft < 3 ? 'tone-warn' : 'second'}>
              {secondFactor.recoveryCodesLeft === 0
                ? 'No recovery codes are left.'
                : `${countOf(secondFactor.recoveryCodesLeft, 'recovery code')} left, each good once.`}
            </p>
            <Button loading={renew.isPending} onClick={() => renew.mutate()}>
              New recovery codes
            </Button>
          </div>
        )}
        <MutationProblem what="That did not work." error={begin.error ?? renew.error} />
      </div>
      <SetUpApp
        begun={begin.data}
        onClose={() => begin.reset()}
        onDone={codes => {
          begin.reset()
          setCodes(codes)
          void readAgain()
        }}
      />
      <OnceShown
        title="Recovery codes"
        text={codes?.join('\n')}
        file="restic-manager-recovery-codes.txt"
        onClose={() => setCodes(undefined)}
      >
        Each lets {me?.email} in once without the app. They are not shown again, and earlier ones no longer
        work.
      </OnceShown>
      <Confirm
        opened={removing}
        onClose={() => setRemoving(false)}
        title="Turn the authenticator app off?"
        verb="Turn off"
        busy={remove.isPending}
        problem={<MutationProblem what="It is still on." error={remove.error} />}
        onConfirm={() => remove.mutate()}
      >
        No code is asked for any more, and the recovery codes end with it.
      </Confirm>
    </Panel>
  )
}
