// One operator in the list of users, and what an admin may do about them.
import type { UserView } from '@restic-manager/contract/operators'
import { ActionIcon, Button, Menu, Modal } from '@mantine/core'
import { IconDots } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { countOf } from '../format.ts'
import { useMe } from '../me.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Confirm } from './confirm.tsx'
import { ConfirmName } from './confirm-name.tsx'
import { MutationProblem } from './query-problem.tsx'
import { isWhole, type Reach, RoleFields } from './role-fields.tsx'
import { Ago } from './when.tsx'

const wayWords = {
  password: 'password',
  code: 'authenticator app',
  passkey: 'passkey',
  provider: 'identity provider',
} as const satisfies Record<UserView['ways'][number], string>

const readAgain = async () => {
  await queryClient.invalidateQueries(trpc.users.list.pathFilter())
  await queryClient.invalidateQueries(trpc.me.get.pathFilter())
}

/** What somebody is limited to, as chips. */
export const TagChips = ({ tags }: { tags: string[] | null }) =>
  tags === null ? (
    <span className="dim">all hosts</span>
  ) : (
    tags.map(tag => (
      <span key={tag} className="chip">
        {tag}
      </span>
    ))
  )

function ChangeReach({ user, onClose }: { user: UserView; onClose: () => void }) {
  const [reach, setReach] = useState<Reach>({ role: user.role, tags: user.tags })
  const save = useMutation(
    trpc.users.update.mutationOptions({
      onSuccess: async () => {
        onClose()
        await readAgain()
      },
    }),
  )
  return (
    <Modal
      opened
      onClose={onClose}
      title={`Role of ${user.name}`}
      size={520}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          save.mutate({ operatorId: user.id, ...reach })
        }}
      >
        <RoleFields reach={reach} onChange={setReach} />
        <MutationProblem what={`${user.name} was not changed.`} error={save.error} />
        <div className="row form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={save.isPending} disabled={!isWhole(reach)}>
            Save
          </Button>
        </div>
      </form>
    </Modal>
  )
}

function SignOut({ user, onClose }: { user: UserView; onClose: () => void }) {
  const end = useMutation(
    trpc.users.signOut.mutationOptions({
      onSuccess: async () => {
        onClose()
        await readAgain()
      },
    }),
  )
  return (
    <Confirm
      opened
      onClose={onClose}
      title={`Sign ${user.name} out?`}
      verb="Sign out"
      busy={end.isPending}
      problem={<MutationProblem what="They are still signed in." error={end.error} />}
      onConfirm={() => end.mutate({ operatorId: user.id })}
    >
      {countOf(user.sessions, 'session')} of {user.email} end at once, also on open pages. They can sign in
      again, and their API keys go on.
    </Confirm>
  )
}

function Remove({ user, onClose }: { user: UserView; onClose: () => void }) {
  const remove = useMutation(
    trpc.users.remove.mutationOptions({
      onSuccess: async () => {
        onClose()
        await readAgain()
      },
    }),
  )
  return (
    <ConfirmName
      opened
      onClose={onClose}
      title={`Remove ${user.name}?`}
      name={user.email}
      verb="Remove"
      busy={remove.isPending}
      problem={<MutationProblem what={`${user.name} was not removed.`} error={remove.error} />}
      onConfirm={() => remove.mutate({ operatorId: user.id })}
    >
      <p>
        Their sessions, passkeys and API keys end at once, and what uses these keys stops. What they did stays
        in the audit log.
      </p>
    </ConfirmName>
  )
}

/** `users` of the list: a row with its menu. */
export function UserRow({ user }: { user: UserView }) {
  const me = useMe()
  const [open, setOpen] = useState<'role' | 'sign-out' | 'remove'>()
  const close = () => setOpen(undefined)
  return (
    <li className="user-row">
      <div>
        <p className="row">
          <span className="strong cut">{user.name}</span>
          {user.id === me?.operatorId && <span className="chip">you</span>}
        </p>
        <p className="dim cut">{user.email}</p>
      </div>
      <div className="row row-wrap">
        <span>{user.role}</span>
        <TagChips tags={user.tags} />
      </div>
      <p className="second">{user.ways.map(way => wayWords[way]).join(', ') || 'none yet'}</p>
      <p className="second">
        {user.lastSeenAt === null ? (
          'never signed in'
        ) : (
          <>
            last seen <Ago at={user.lastSeenAt} />
          </>
        )}
      </p>
      <Menu position="bottom-end" shadow="md" radius="lg">
        <Menu.Target>
          <ActionIcon className="user-row-menu" aria-label={`What to do with ${user.name}`}>
            <IconDots size={16} stroke={1.75} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setOpen('role')}>Change role and hosts</Menu.Item>
          <Menu.Item disabled={user.sessions === 0} onClick={() => setOpen('sign-out')}>
            {user.sessions === 0 ? 'Not signed in' : 'Sign out'}
          </Menu.Item>
          <Menu.Item className="tone-bad" onClick={() => setOpen('remove')}>
            Remove
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {open === 'role' && <ChangeReach user={user} onClose={close} />}
      {open === 'sign-out' && <SignOut user={user} onClose={close} />}
      {open === 'remove' && <Remove user={user} onClose={close} />}
    </li>
  )
}
