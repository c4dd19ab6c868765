// Who is signed in, the colours of the page, and the way out.
import { Menu, SegmentedControl, useMantineColorScheme } from '@mantine/core'
import {
  IconCamera,
  IconDatabase,
  IconLogout,
  IconSettings,
  IconUser,
  IconUserShield,
} from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useMe } from '../me.ts'
import { signOut } from '../session.ts'
import { queryClient, sentenceFor } from '../trpc.ts'
import { ZoneSwitch } from './top-bar-end.tsx'
import './user-menu.css'

const initials = (name: string) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map(word => word[0]?.toUpperCase() ?? '')
    .join('')

function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  return (
    <SegmentedControl
      fullWidth
      aria-label="Colours"
      data={[
        { value: 'light', label: 'Light' },
        { value: 'dark', label: 'Dark' },
        { value: 'auto', label: 'Auto' },
      ]}
      value={colorScheme}
      onChange={value => setColorScheme(value as typeof colorScheme)}
    />
  )
}

/** The menu at the foot of the rail; on a phone the last entry of the bottom bar. */
export function UserMenu() {
  const me = useMe()
  const navigate = useNavigate()
  const leave = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      await navigate({ to: '/sign-in' })
      queryClient.clear()
    },
  })
  return (
    <Menu position="top-start" width={232} shadow="md" radius="lg" closeOnItemClick={false}>
      <Menu.Target>
        <button type="button" className="user">
          <span className="user-mark" data-initials={initials(me?.name ?? '')} aria-hidden />
          <IconUser className="user-icon" size={18} stroke={1.6} aria-hidden />
          <span className="user-words">
            <span className="user-name cut">{me?.name}</span>
            <span className="dim">{me?.role}</span>
            <span className="visually-hidden">menu</span>
          </span>
          <span className="user-more">More</span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <div className="user-panel">
          <p className="strong cut">{me?.name}</p>
          <p className="dim cut">{me?.email}</p>
        </div>
        <div className="user-panel">
          <SchemeSwitch />
        </div>
        <div className="user-panel user-zone">
          <span className="dim">Times in</span>
          <ZoneSwitch />
        </div>
        <Menu.Divider />
        <Menu.Item
          className="user-phone"
          component={Link}
          to="/snapshots"
          closeMenuOnClick
          leftSection={<IconCamera size={16} stroke={1.75} />}
        >
          Snapshots
        </Menu.Item>
        <Menu.Item
          className="user-phone"
          component={Link}
          to="/repositories"
          closeMenuOnClick
          leftSection={<IconDatabase size={16} stroke={1.75} />}
        >
          Repositories
        </Menu.Item>
        <Menu.Item
          component={Link}
          to="/account"
          closeMenuOnClick
          leftSection={<IconUserShield size={16} stroke={1.75} />}
        >
          Your account
        </Menu.Item>
        <Menu.Item
          component={Link}
          to="/settings"
          closeMenuOnClick
          leftSection={<IconSettings size={16} stroke={1.75} />}
        >
          Settings
        </Menu.Item>
        <Menu.Item
          leftSection={<IconLogout size={16} stroke={1.75} />}
          onClick={() => leave.mutate()}
          disabled={leave.isPending}
        >
          Sign out
        </Menu.Item>
        {leave.isError && (
          <p className="user-panel tone-bad" role="alert">
            {sentenceFor(leave.error)}
          </p>
        )}
        <p className="user-panel dim">restic-manager {me?.serverVersion}</p>
      </Menu.Dropdown>
    </Menu>
  )
}
