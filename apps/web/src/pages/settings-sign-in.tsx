// Settings, Sign-in: the ways people get in, how many use each, and whom a stolen password alone would let in.
import type { UserView } from '@restic-manager/contract/operators'
import { useQuery } from '@tanstack/react-query'
import { countOf } from '../format.ts'
import { useMayForAll, useMe } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { Notice } from '../parts/notice.tsx'
import { Details, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { SettingsTabs } from '../parts/settings-tabs.tsx'
import { providerQuery } from '../provider.ts'
import { trpc } from '../trpc.ts'

type Way = UserView['ways'][number]

/** Who signs in with a password and nothing besides. */
const isWeak = ({ ways }: UserView) => ways.includes('password') && !ways.includes('code')

function Ways({ users }: { users: UserView[] }) {
  const provider = useQuery(providerQuery)
  const count = (way: Way) => {
    const having = users.filter(({ ways }) => ways.includes(way)).length
    return having === 0 ? <span className="dim">nobody</span> : countOf(having, 'user')
  }
  const weak = users.filter(isWeak)
  return (
    <>
      {weak.length > 0 && (
        <Notice
          tone="warn"
          title={`${weak.length === 1 ? weak[0]?.name : countOf(weak.length, 'user')} ${weak.length === 1 ? 'signs' : 'sign'} in with a password alone.`}
        >
          Whoever learns it is let in. An authenticator app or a passkey, which everybody adds under Account,
          asks for more.
        </Notice>
      )}
      <Panel title="Ways in">
        <Details
          items={[
            { term: 'Password', value: count('password') },
            { term: 'App codes', value: count('code') },
            { term: 'Passkey', value: count('passkey') },
            ...(typeof provider.data === 'string' ? [{ term: provider.data, value: count('provider') }] : []),
          ]}
        />
      </Panel>
      <Panel title="Identity provider">
        <QueryProblem what="The identity provider" query={provider} />
        {typeof provider.data === 'string' && (
          <p>
            People can sign in with {provider.data}. Who may, and in which role, is set where the server is
            started, with <code className="mono">RM_OIDC_…</code>.
          </p>
        )}
        {provider.data === null && (
          <p>
            None. Start the server with <code className="mono">RM_OIDC_ISSUER</code>,{' '}
            <code className="mono">RM_OIDC_CLIENT_ID</code> and{' '}
            <code className="mono">RM_OIDC_CLIENT_SECRET</code> to let people sign in with theirs.
          </p>
        )}
      </Panel>
    </>
  )
}

function People() {
  const list = useQuery(trpc.users.list.queryOptions())
  return (
    <>
      <QueryProblem what="How people sign in" query={list} />
      {list.isPending && (
        <Panel flush>
          <SkeletonRows rows={4} />
        </Panel>
      )}
      {list.data !== undefined && <Ways users={list.data.users} />}
    </>
  )
}

/** The page of ways in. */
export function SignInSettingsPage() {
  const me = useMe()
  const may = useMayForAll('admin')
  return (
    <>
      <Crumbs way={[{ word: 'Settings', link: { to: '/settings' } }]} here="Sign-in" />
      <PageHead title="Sign-in" />
      <SettingsTabs />
      {may ? (
        <People />
      ) : (
        me !== undefined && <Notice tone="accent" title="Sign-in is looked after by admins of all hosts." />
      )}
    </>
  )
}
