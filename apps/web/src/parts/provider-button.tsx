// The button that leads to the identity provider, where there is one.
import { Button } from '@mantine/core'
import { IconExternalLink } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type Errand, leaveForProvider, providerQuery } from '../provider.ts'
import { Notice } from './notice.tsx'

const words = {
  'sign-in': (name: string) => `Sign in with ${name}`,
  invitation: (name: string) => `Continue with ${name}`,
  link: (name: string) => `Link ${name}`,
  prove: (name: string) => `Sign in with ${name} again`,
} satisfies Record<Errand['for'], (name: string) => string>

/** Leaves for the provider on a click; afterwards the browser is at `back`. Shows nothing when there is no provider. */
export function ProviderButton({ errand, back }: { errand: Errand; back: string }) {
  const name = useQuery(providerQuery).data
  const leave = useMutation({ mutationFn: () => leaveForProvider(errand, back) })
  if (name == null) return null
  return (
    <>
      {leave.isError && <Notice tone="bad" title={leave.error.message} />}
      <Button
        rightSection={<IconExternalLink size={16} stroke={1.75} aria-hidden />}
        loading={leave.isPending}
        onClick={() => leave.mutate()}
      >
        {words[errand.for](name)}
      </Button>
    </>
  )
}
