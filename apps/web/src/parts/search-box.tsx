// The box in the top bar that opens the command palette, and the keys that do the same. What it opens is loaded when it is wanted.
import { IconSearch } from '@tabler/icons-react'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { findKeys, useShortcuts } from '../shortcuts.ts'
import { lazyDialog } from './lazy-dialog.tsx'
import './search-box.css'

const load = () => import('./palette.tsx')
const Palette = lazyDialog(async () => (await load()).Palette)
const KeyHelp = lazyDialog(async () => (await import('./key-help.tsx')).KeyHelp)
const AddHost = lazyDialog(async () => (await import('./add-host.tsx')).AddHost)

/** What of it is on the screen. */
export type Opened = 'find' | 'help' | 'add host'

/** The search box of every page. */
export function SearchBox() {
  const [opened, open] = useState<Opened>()
  const { history } = useRouter()
  const close = () => open(undefined)
  useShortcuts({ find: () => open('find'), help: () => open('help'), go: href => history.push(href) })
  return (
    <>
      <button
        type="button"
        className="search-box"
        aria-label="Find hosts, jobs, actions"
        aria-haspopup="dialog"
        aria-keyshortcuts="Control+K Meta+K"
        onClick={() => open('find')}
        onPointerEnter={() => void load()}
      >
        <IconSearch size={16} stroke={1.75} aria-hidden />
        <span className="search-word cut" aria-hidden>
          Find hosts, jobs, actions
        </span>
        <kbd className="search-keys" data-keys={findKeys} aria-hidden />
      </button>
      <Palette opened={opened === 'find'} onClose={close} show={open} />
      <KeyHelp opened={opened === 'help'} onClose={close} />
      <AddHost opened={opened === 'add host'} onClose={close} />
    </>
  )
}
