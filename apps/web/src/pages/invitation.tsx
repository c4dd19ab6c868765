// What the link of an invitation opens: an account for whom it was made, with a password or the identity provider.
import { Button, Divider, PasswordInput, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { acceptInvitation, readInvitation } from '../invitation.ts'
import { Entrance } from '../parts/entrance.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Notice } from '../parts/notice.tsx'
import { PlainHttpWarning } from '../parts/plain-http.tsx'
import { ProviderButton } from '../parts/provider-button.tsx'
import { providerQuery } from '../provider.ts'
import { roleSentences } from '../role-words.ts'
import { shortestPassword, takeSecret } from '../session.ts'
import { queryClient } from '../trpc.ts'

function MakeAccount({ secret, email }: { secret: string; email: string }) {
  const navigate = useNavigate()
  const provider = useQuery(providerQuery).data
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { name: '', password: '' },
    validate: {
      name: value => (value.trim() === '' ? 'Enter your name.' : null),
      password: value =>
        value.length < shortestPassword ? `Use at least ${shortestPassword} characters.` : null,
    },
  })
  const make = useMutation({
    mutationFn: ({ name, password }: { name: string; password: string }) =>
      acceptInvitation({ secret, name: name.trim(), password }),
    onSuccess: () => {
      queryClient.clear()
      void navigate({ to: '/' })
    },
  })
  return (
    <>
      <form className="stack" onSubmit={form.onSubmit(values => make.mutate(values))} noValidate>
        <TextInput label="E-mail" type="email" autoComplete="username" readOnly value={email} />
        <TextInput label="Name" autoComplete="name" key={form.key('name')} {...form.getInputProps('name')} />
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
          Make my account
        </Button>
      </form>
      {provider != null && <Divider label="or" />}
      <ProviderButton errand={{ for: 'invitation', secret }} back="/hosts" />
    </>
  )
}

/** Works with the secret after the # of the link, once. */
export function InvitationPage() {
  const [secret] = useState(takeSecret)
  const invitation = useQuery({
    queryKey: ['invitation', secret],
    queryFn: () => readInvitation(secret),
    enabled: secret !== '',
    staleTime: Infinity,
    retry: false,
  })
  useEffect(() => {
    document.title = 'Invitation · restic-manager'
  }, [])
  if (secret === '' || invitation.isError) {
    return (
      <Entrance title="Invitation">
        {invitation.isError ? (
          <Notice tone="bad" title={invitation.error.message} />
        ) : (
          <p className="second">
            Open the link of your invitation again. It ends with a secret, which is missing from this address.
          </p>
        )}
        <div className="row">
          {invitation.isError && <Button onClick={() => void invitation.refetch()}>Try again</Button>}
          <LinkButton to="/sign-in">Sign in</LinkButton>
        </div>
      </Entrance>
    )
  }
  if (invitation.data === undefined) return null
  const { email, role } = invitation.data
  return (
    <Entrance title="Welcome">
      <p className="second">
        You were invited as <span className="strong">{role}</span>. {roleSentences[role]}
      </p>
      <PlainHttpWarning />
      <MakeAccount secret={secret} email={email} />
    </Entrance>
  )
}
