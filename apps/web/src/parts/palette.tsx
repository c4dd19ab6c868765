// The command palette: finds hosts, jobs, repositories and schedules, goes to pages and does what can be done from everywhere.
import { Modal } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useEffectEvent, useRef, useState } from 'react'
import { useNow } from '../clock.ts'
import { formatWhen } from '../format.ts'
import { useMay, useMe } from '../me.ts'
import { type Choice, choicesOf, choicesWith, grouped, wishOf } from '../palette-choices.ts'
import { keepRecent, readRecent } from '../recent-choices.ts'
import { useZone } from '../time-zone.ts'
import { sentenceFor, trpc } from '../trpc.ts'
import { usePaletteActions } from './palette-actions.ts'
import { idOfChoice, PaletteList } from './palette-list.tsx'
import type { Opened } from './search-box.tsx'
import './palette.css'

type Shown = { opened: boolean; onClose: () => void; show: (what: Opened) => void }

/** What is offered for a text, in groups. */
function useGroups(text: string, { show, onClose }: Omit<Shown, 'opened'>) {
  const me = useMe()
  const now = useNow(60_000)
  const zone = useZone()
  const wish = wishOf(text)
  const [asked] = useDebouncedValue(wish.text, 120)
  const isEmpty = wish.text === ''
  const found = useQuery(
    trpc.search.find.queryOptions(
      { text: asked },
      { enabled: asked !== '' && !isEmpty, placeholderData: keepPreviousData, staleTime: 5_000 },
    ),
  )
  const { pages, actions, run, problem } = usePaletteActions(show, onClose)
  const mayRun = useMay('operator')
  const things =
    isEmpty || found.data === undefined
      ? []
      : choicesOf(found.data, mayRun ? run : undefined, at => formatWhen(at, now, zone)).filter(
          ({ kind }) => !wish.toRun || kind === 'run',
        )
  const recent = isEmpty && me !== undefined ? readRecent(me.operatorId) : []
  return {
    groups: grouped(
      recent.map(each => Object.assign({ key: `recent:${each.href}` }, each)),
      [...things, ...choicesWith(text, [...pages, ...actions])],
    ),
    isSearching: !isEmpty && (asked !== wish.text || found.isFetching),
    problem: problem ?? (found.error === null || isEmpty ? undefined : sentenceFor(found.error)),
    remember: (choice: Choice) => {
      const { kind, word, detail, href } = choice
      if (me === undefined || href === undefined || kind === 'run' || kind === 'action') return
      keepRecent(me.operatorId, { kind, word, detail, href })
    },
  }
}

function Search({ onClose, show }: Omit<Shown, 'opened'>) {
  const [text, setText] = useState('')
  const [chosenKey, setChosenKey] = useState<string>()
  const isHurried = useRef(false)
  const { history } = useRouter()
  const { groups, isSearching, problem, remember } = useGroups(text, { show, onClose })
  const all = groups.flatMap(({ choices }) => choices)
  const at = Math.max(
    0,
    all.findIndex(({ key }) => key === chosenKey),
  )
  const chosen = all[at]

  const choose = (choice: Choice) => {
    remember(choice)
    if (choice.stays !== true) onClose()
    if (choice.href !== undefined) history.push(choice.href)
    choice.act?.()
  }
  // Whoever types fast has pressed Enter before the answer is there: what then stands on top is meant.
  const takeHurried = useEffectEvent(() => {
    if (isHurried.current && chosen !== undefined) choose(chosen)
    isHurried.current = false
  })
  useEffect(() => {
    if (!isSearching) takeHurried()
  }, [isSearching])
  const move = (by: number) => setChosenKey(all[(at + by + all.length) % all.length]?.key)
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || (all.length === 0 && !isSearching)) return
    if (event.key === 'ArrowDown') move(1)
    else if (event.key === 'ArrowUp') move(-1)
    else if (event.key === 'Enter' && isSearching && chosenKey === undefined) isHurried.current = true
    else if (event.key === 'Enter' && chosen !== undefined) choose(chosen)
    else return
    event.preventDefault()
  }

  return (
    <>
      <div className="palette-field">
        <IconSearch size={18} stroke={1.75} aria-hidden />
        <input
          className="palette-input"
          data-autofocus
          type="text"
          role="combobox"
          aria-label="Find hosts, jobs, actions"
          aria-expanded={all.length > 0}
          aria-controls="palette-list"
          aria-autocomplete="list"
          aria-activedescendant={chosen && idOfChoice(chosen)}
          autoComplete="off"
          spellCheck={false}
          maxLength={100}
          placeholder="Find hosts, jobs, actions"
          value={text}
          onChange={event => {
            setText(event.currentTarget.value)
            setChosenKey(undefined)
            isHurried.current = false
          }}
          onKeyDown={onKeyDown}
        />
        <kbd className="key">Esc</kbd>
      </div>
      {problem !== undefined && (
        <p className="palette-note tone-bad" role="alert">
          {problem}
        </p>
      )}
      <PaletteList groups={groups} chosen={chosen} onPoint={setChosenKey} onChoose={choose} />
      <p className={all.length === 0 ? 'palette-note dim' : 'visually-hidden'} role="status">
        {all.length > 0
          ? `${all.length} found`
          : isSearching
            ? 'Searching'
            : 'Nothing has all of these words. Try part of a name, a tag, or how the id of a job begins.'}
      </p>
    </>
  )
}

/** The palette. Whatever had the focus has it again when it closes. */
export function Palette({ opened, onClose, show }: Shown) {
  return (
    <Modal.Root opened={opened} onClose={onClose} size={600} yOffset="10vh" centered={false}>
      <Modal.Overlay />
      <Modal.Content aria-label="Find" className="palette">
        <Modal.Body p={0}>
          <Search onClose={onClose} show={show} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  )
}
