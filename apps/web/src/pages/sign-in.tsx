// Sign-in. Where nobody could sign in yet, it says how the first admin is made.
import { Button, Divider, PasswordInput, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { Entrance } from '../parts/entrance.tsx'
import { Notice } from '../parts/notice.tsx'
import { ProviderButton } from '../parts/provider-button.tsx'
import { ProviderProblem } from '../parts/provider-problem.tsx'
import { providerQuery } from '../provider.ts'
import { AuthProblem, needsSetUp, signIn } from '../session.ts'
import { queryClient } from '../trpc.ts'

const route = getRouteApi('/sign-in')

/** Asks for e-mail and password, then goes back to where the operator was. */
export function SignInPage() {
  const { back } = route.useSearch()
  const router = useRouter()
  const setUp = useQuery({ queryKey: ['setup'], queryFn: needsSetUp, staleTime: 0 })
  const provider = useQuery(providerQuery).data
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { email: '', password: '' },
    validate: {
      email: value => (value.includes('@') ? null : 'Enter your e-mail address.'),
      password: value => (value === '' ? 'Enter your password.' : null),
    },
  })
  const enter = useMutation({
    mutationFn: ({ email, password }: { email: string; password: string }) => signIn(email, password),
    onSuccess: async () => {
      queryClient.clear()
      router.history.push(back ?? '/hosts')
    },
    onError: error => {
      if (error instanceof AuthProblem && error.field === 'password')
        form.setFieldError('password', error.message)
    },
  })
  useEffect(() => {
    document.title = 'Sign in · restic-manager'
  }, [])
  const elsewhere =
    enter.error instanceof AuthProblem && enter.error.field === 'password' ? null : enter.error

  return (
    <Entrance title="Sign in">
      <ProviderProblem />
      {setUp.data === true && (
        <Notice tone="accent" title="This server has no admin yet.">
          Open the set-up link that the server printed in its terminal when it started.
        </Notice>
      )}
      {setUp.isError && (
        <Notice
          tone="bad"
          title={setUp.error.message}
          action={<Button onClick={() => void setUp.refetch()}>Try again</Button>}
        />
      )}
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
        {elsewhere != null && <Notice tone="bad" title={elsewhere.message} />}
        <Button type="submit" variant="filled" loading={enter.isPending}>
          Sign in
        </Button>
      </form>
      {provider != null && (
        <>
          <Divider label="or" />
          <ProviderButton errand={{ for: 'sign-in' }} back={back ?? '/hosts'} />
        </>
      )}
    </Entrance>
  )
}
