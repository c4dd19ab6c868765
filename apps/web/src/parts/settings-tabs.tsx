// The parts of the settings, as links below the title. Who may not open a part does not see it.
import { Link } from '@tanstack/react-router'
import { useMay, useMayForAll } from '../me.ts'
import './settings-tabs.css'

/** Stands on each page of the settings. */
export function SettingsTabs() {
  const mayUsers = useMayForAll('admin')
  const mayAudit = useMay('admin')
  const tabs = [
    { to: '/settings', word: 'General', may: true },
    { to: '/settings/users', word: 'Users', may: mayUsers },
    { to: '/settings/sign-in', word: 'Sign-in', may: mayUsers },
    { to: '/settings/audit', word: 'Audit log', may: mayAudit },
    { to: '/settings/about', word: 'About', may: true },
  ] as const
  return (
    <nav className="settings-tabs" aria-label="Settings">
      {tabs
        .filter(({ may }) => may)
        .map(({ to, word }) => (
          <Link
            key={to}
            to={to}
            className="settings-tab"
            activeProps={{ className: 'settings-tab-here' }}
            activeOptions={{ exact: true }}
          >
            {word}
          </Link>
        ))}
    </nav>
  )
}
