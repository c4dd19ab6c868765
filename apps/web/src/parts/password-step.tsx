// The first step of a sign-in: e-mail and password, a passkey, or the identity provider.
import { Button, Divider, PasswordInput, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconFingerprint } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { hasPasskeys, signInByPasskey, type Way } from '../factors.ts'
import { providerQuery } from '../provider.ts'
import { AuthProblem, signIn } from '../session.ts'
import { Notice } from './notice.tsx'
import { ProviderButton } from './provider-button.tsx'

/** `onShown` is told what is still asked for; nothing when the session has begun. */
export function PasswordStep({ back, onShown }: { back: string; onShown: (needs: Way[]) => void }) {
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { email: '', password: '' },
    validate: {
      email: value => (value.includes('@') ? null : 'Enter your e-mail address.'),
      password: value => (value === '' ? 'Enter your password.' : null),
    },
  })
  const isWrong = (error: Error | null) => error instanceof AuthProblem && error.code === 'not_signed_in'
  const enter = useMutation({
    mutationFn: ({ email, password }: { email: string; password: string }) => signIn(email, password),
    onSuccess: onShown,
    onError: error => {
      if (isWrong(error)) form.setFieldError('password', error.message)
    },
  })
  const byPasskey = useMutation({ mutationFn: signInByPasskey, onSuccess: () => onShown([]) })
  const provider = useQuery(providerQuery).data
  const elsewhere = isWrong(enter.error) ? null : enter.error
  return (
    <>
      <form className="stack" onSubmit={form.onSubmit(values => enter.mutate(values))} noValidate>
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        {elsewhere !== null && <Notice tone="bad" title={elsewhere.message} />}
        <Button type="submit" variant="filled" loading={enter.isPending} disabled={byPasskey.isPending}>
          Sign in
        </Button>
      </form>
      {(hasPasskeys() || provider != null) && <Divider label="or" />}
      {hasPasskeys() && (
        <>
          {byPasskey.error !== null && <Notice tone="bad" title={byPasskey.error.message} />}
          <Button
            leftSection={<IconFingerprint size={16} stroke={1.75} aria-hidden />}
            loading={byPasskey.isPending}
            onClick={() => byPasskey.mutate()}
          >
            Use a passkey
          </Button>
        </>
      )}
      <ProviderButton errand={{ for: 'sign-in' }} back={back} />
    </>
  )
}
