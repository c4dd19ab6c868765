// One's own account: how it signs in, where it is signed in, and its keys.
import { useQuery } from '@tanstack/react-query'
import { useMe } from '../me.ts'
import { AuthenticatorApp } from '../parts/account-app.tsx'
import { ApiKeys } from '../parts/account-keys.tsx'
import { Passkeys } from '../parts/account-passkeys.tsx'
import { ChangePassword } from '../parts/account-password.tsx'
import { Sessions } from '../parts/account-sessions.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { ProviderLink } from '../parts/provider-link.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { hostsOf } from '../role-words.ts'
import { trpc } from '../trpc.ts'

/** The page of one's own account. */
export function AccountPage() {
  const me = useMe()
  const account = useQuery(trpc.account.get.queryOptions())
  return (
    <>
      <Crumbs way={[]} here="Your account" />
      <PageHead
        title={me?.name ?? 'Your account'}
        below={me && `${me.email} · ${me.role} for ${hostsOf(me.tags)}`}
      />
      <QueryProblem what="Your account" query={account} />
      {account.isPending && (
        <Panel flush>
          <SkeletonRows rows={3} height={52} />
        </Panel>
      )}
      {account.data !== undefined && (
        <div className="with-side">
          <div className="stack">
            <AuthenticatorApp account={account.data} />
            <Passkeys account={account.data} />
            <Sessions />
            <ApiKeys />
          </div>
          <div className="stack">
            {account.data.hasPassword && <ChangePassword />}
            <ProviderLink />
          </div>
        </div>
      )}
    </>
  )
}
