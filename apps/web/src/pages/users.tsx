// Settings, Users: who may sign in, what they may do, and who was invited.
import type { InvitationView } from '@restic-manager/contract/operators'
import { Button } from '@mantine/core'
import { IconUserPlus } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useMayForAll, useMe } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { InviteUser } from '../parts/invite-user.tsx'
import { Notice } from '../parts/notice.tsx'
import { PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { MutationProblem, QueryProblem } from '../parts/query-problem.tsx'
import { SettingsTabs } from '../parts/settings-tabs.tsx'
import { TagChips, UserRow } from '../parts/user-row.tsx'
import { Ahead } from '../parts/when.tsx'
import { queryClient, trpc } from '../trpc.ts'
import './users.css'

function Invitations({ invitations }: { invitations: InvitationView[] }) {
  const revoke = useMutation(
    trpc.users.revokeInvitation.mutationOptions({
      onSettled: () => queryClient.invalidateQueries(trpc.users.list.pathFilter()),
    }),
  )
  if (invitations.length === 0) return null
  return (
    <Panel title="Invitations" count={invitations.length} flush>
      <ul aria-label="Invitations">
        {invitations.map(({ id, email, role, tags, createdBy, expiresAt }) => (
          <li key={id} className="invitation-row">
            <p className="strong cut">{email}</p>
            <div className="row row-wrap">
              <span>{role}</span>
              <TagChips tags={tags} />
            </div>
            <p className="dim cut">
              by {createdBy} · ends <Ahead at={expiresAt} />
            </p>
            <Button
              className="invitation-end"
              aria-label={`Revoke the invitation of ${email}`}
              loading={revoke.isPending && revoke.variables.invitationId === id}
              onClick={() => revoke.mutate({ invitationId: id })}
            >
              Revoke
            </Button>
          </li>
        ))}
      </ul>
      <MutationProblem what="The invitation still works." error={revoke.error} />
    </Panel>
  )
}

function Users() {
  const list = useQuery(trpc.users.list.queryOptions())
  return (
    <>
      <QueryProblem what="The list of users" query={list} />
      {list.data !== undefined && <Invitations invitations={list.data.invitations} />}
      <Panel title="Users" count={list.data?.users.length} flush>
        {list.isPending && <SkeletonRows rows={3} height={52} />}
        <ul aria-label="Users">
          {list.data?.users.map(user => (
            <UserRow key={user.id} user={user} />
          ))}
        </ul>
      </Panel>
    </>
  )
}

/** The page, for admins of all hosts. Others are told whom it is for. */
export function UsersPage() {
  const me = useMe()
  const may = useMayForAll('admin')
  const [inviting, setInviting] = useState(false)
  return (
    <>
      <Crumbs way={[{ word: 'Settings', link: { to: '/settings' } }]} here="Users" />
      <PageHead
        title="Users"
        actions={
          may && (
            <Button
              variant="filled"
              leftSection={<IconUserPlus size={16} stroke={1.75} aria-hidden />}
              onClick={() => setInviting(true)}
            >
              Invite
            </Button>
          )
        }
      />
      <SettingsTabs />
      {may ? (
        <Users />
      ) : (
        me !== undefined && <Notice tone="accent" title="Users are looked after by admins of all hosts." />
      )}
      {inviting && <InviteUser onClose={() => setInviting(false)} />}
    </>
  )
}
