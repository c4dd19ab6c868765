// The password of one's account.
import { Button, PasswordInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation } from '@tanstack/react-query'
import { shortestPassword } from '../session.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Notice } from './notice.tsx'
import { Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'

/** A new password. The old one is asked for where the account has nothing stronger. */
export function ChangePassword() {
  const form = useForm({
    initialValues: { password: '', again: '' },
    validate: {
      password: value =>
        value.length < shortestPassword ? `Use at least ${shortestPassword} characters.` : null,
      again: (value, { password }) => (value === password ? null : 'This is not the same.'),
    },
  })
  const change = useMutation(
    trpc.account.changePassword.mutationOptions({
      onSuccess: () => {
        form.reset()
        void queryClient.invalidateQueries(trpc.sessions.list.pathFilter())
      },
    }),
  )
  return (
    <Panel title="Password" foot="Your other browsers are signed out when it changes.">
      <form
        className="stack"
        onSubmit={form.onSubmit(({ password }) => change.mutate({ password }))}
        onChange={() => change.isSuccess && change.reset()}
        noValidate
      >
        <PasswordInput label="New password" autoComplete="new-password" {...form.getInputProps('password')} />
        <PasswordInput label="Once more" autoComplete="new-password" {...form.getInputProps('again')} />
        <MutationProblem what="The password was not changed." error={change.error} />
        {change.isSuccess && <Notice tone="good" title="The password was changed." />}
        <div className="row">
          <Button type="submit" loading={change.isPending}>
            Change the password
          </Button>
        </div>
      </form>
    </Panel>
  )
}
