// Step one of the set-up: name, e-mail and password of the first admin.
import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation } from '@tanstack/react-query'
import { setUp, shortestPassword } from '../session.ts'
import { queryClient } from '../trpc.ts'
import { Entrance } from './entrance.tsx'
import { Notice } from './notice.tsx'

/** Makes the first admin; `onMade` is called once they are signed in. */
export function FirstAdmin({ secret, onMade }: { secret: string; onMade: () => void }) {
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { name: '', email: '', password: '' },
    validate: {
      name: value => (value.trim() === '' ? 'Enter your name.' : null),
      email: value => (/^\S+@\S+$/.test(value) ? null : 'Enter an e-mail address, such as noor@example.com.'),
      password: value =>
        value.length < shortestPassword ? `Use at least ${shortestPassword} characters.` : null,
    },
  })
  const make = useMutation({
    mutationFn: (values: { name: string; email: string; password: string }) =>
      setUp({ secret, ...values, name: values.name.trim() }),
    onSuccess: () => {
      queryClient.clear()
      onMade()
    },
  })
  return (
    <Entrance title="Make the first admin">
      <p className="second">
        You sign in with this from now on. There is no default password, and the set-up link stops working.
      </p>
      <form className="stack" onSubmit={form.onSubmit(values => make.mutate(values))} noValidate>
        <TextInput label="Name" autoComplete="name" key={form.key('name')} {...form.getInputProps('name')} />
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <PasswordInput
          label="Password"
          description={`At least ${shortestPassword} characters.`}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          autoComplete="new-password"
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        {make.isError && <Notice tone="bad" title={make.error.message} />}
        <Button type="submit" variant="filled" loading={make.isPending}>
          Make the admin and continue
        </Button>
      </form>
    </Entrance>
  )
}
