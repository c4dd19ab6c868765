// Part of the account page: whether the account is linked with the identity provider, and the way to change that.
import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useLocation } from '@tanstack/react-router'
import { providerQuery } from '../provider.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Panel } from './panel.tsx'
import { ProviderButton } from './provider-button.tsx'
import { MutationProblem } from './query-problem.tsx'

/** Shows nothing where there is no provider. Unlinking is offered only to accounts that have a password to come in with. */
export function ProviderLink() {
  const name = useQuery(providerQuery).data
  const account = useQuery(trpc.account.get.queryOptions()).data
  const pathname = useLocation({ select: location => location.pathname })
  const unlink = useMutation(
    trpc.account.unlinkProvider.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries(trpc.account.get.queryFilter()),
    }),
  )
  if (account === undefined || (name == null && !account.hasProvider)) return null
  return (
    <Panel title={name ?? 'Identity provider'}>
      <div className="stack">
        {account.hasProvider ? (
          <p>
            {name == null
              ? 'This account is linked with a provider that this server does not know any more.'
              : `You sign in with ${name} too.`}
            {!account.hasPassword && ' It is the way in: this account has no password.'}
          </p>
        ) : (
          <p>
            Link this account to sign in with {name}. You type your password there once more, so that it is
            you who is linked.
          </p>
        )}
        <MutationProblem what="The link was not taken off." error={unlink.error} />
        <div className="row row-wrap">
          {!account.hasProvider && <ProviderButton errand={{ for: 'link' }} back={pathname} />}
          {account.hasProvider && account.hasPassword && (
            <Button loading={unlink.isPending} onClick={() => unlink.mutate()}>
              Unlink
            </Button>
          )}
        </div>
      </div>
    </Panel>
  )
}
