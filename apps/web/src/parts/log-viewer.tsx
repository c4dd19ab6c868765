// The log of a job: only the lines in view exist, it follows the end, searches, filters and downloads.
import { Button, SegmentedControl, TextInput } from '@mantine/core'
import { IconArrowBarToDown, IconDownload, IconSearch } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { countOf, formatCount, formatLogClock } from '../format.ts'
import { downloadLog } from '../log-feed.ts'
import type { LogRow } from '../log-lines.ts'
import type { LogFeed } from '../log-store.ts'
import { useZone } from '../time-zone.ts'
import { sentenceFor } from '../trpc.ts'
import { Panel } from './panel.tsx'
import './log-viewer.css'

const marks = { info: 'info', warn: '▲ warn', error: '✕ error' } as const

function Found({ text, search }: { text: string; search: string }) {
  if (search === '') return text
  const at = text.toLowerCase().indexOf(search)
  if (at === -1) return text
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + search.length)}</mark>
      {text.slice(at + search.length)}
    </>
  )
}

function Line({ row, search, zone }: { row: LogRow; search: string; zone: string | undefined }) {
  if (row.gap) return <p className="log-gap">{row.text}</p>
  return (
    <p className={`log-line log-${row.level}`}>
      <span className="log-time">{formatLogClock(row.ts, zone)}</span>
      <span className="log-level">{marks[row.level]}</span>
      <span className="log-text">
        <Found text={row.text} search={search} />
      </span>
    </p>
  )
}

function filterRows(rows: LogRow[], onlyProblems: boolean, search: string): LogRow[] {
  if (!onlyProblems && search === '') return rows
  return rows.filter(
    row =>
      (!onlyProblems || row.level !== 'info') && (search === '' || row.text.toLowerCase().includes(search)),
  )
}

function Lines({
  rows,
  search,
  following,
  setFollowing,
}: {
  rows: LogRow[]
  search: string
  following: boolean
  setFollowing: (following: boolean) => void
}) {
  const zone = useZone()
  const scroll = useRef<HTMLDivElement>(null)
  // The page is built without the React compiler.
  // eslint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 20,
    overscan: 20,
    getItemKey: index => rows[index]?.seq ?? index,
  })
  const size = virtual.getTotalSize()
  useLayoutEffect(() => {
    const element = scroll.current
    if (following && element !== null) element.scrollTop = element.scrollHeight
  }, [following, size, rows.length])
  const leave = () => setFollowing(false)
  return (
    // It scrolls, so it has to be reachable by keyboard, and scrolling up by any means stops the following.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={scroll}
      className="log-scroll"
      role="log"
      aria-label="Log lines"
      aria-live="off"
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onWheel={event => event.deltaY < 0 && leave()}
      onTouchMove={leave}
      onKeyDown={event => ['ArrowUp', 'PageUp', 'Home'].includes(event.key) && leave()}
      onScroll={event => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget
        if (!following && scrollHeight - scrollTop - clientHeight < 4) setFollowing(true)
      }}
    >
      <div className="log-lines" style={{ height: size }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const row = rows[index]
          return row === undefined ? null : (
            <div
              key={key}
              data-index={index}
              ref={virtual.measureElement}
              className="log-place"
              style={{ transform: `translateY(${start}px)` }}
            >
              <Line row={row} search={search} zone={zone} />
            </div>
          )
        })}
      </div>
    </div>
  )
}

/** `live`: the job may still write. */
export function LogViewer({
  jobId,
  feed,
  live,
}: {
  jobId: string
  feed: LogFeed & { complete: boolean }
  live: boolean
}) {
  const [level, setLevel] = useState<'all' | 'problems'>('all')
  const [typed, setTyped] = useState('')
  const [following, setFollowing] = useState(live)
  const search = useDeferredValue(typed.trim().toLowerCase())
  const shown = useMemo(() => filterRows(feed.rows, level === 'problems', search), [feed.rows, level, search])
  const save = useMutation({ mutationFn: () => downloadLog(jobId) })
  const hidden = feed.rows.length - shown.length
  const problems = feed.warnings + feed.errors
  return (
    <Panel
      flush
      title="Log"
      count={countOf(feed.nextSeq, 'line')}
      actions={
        <>
          {live && (
            <Button
              className={following ? 'log-following' : ''}
              aria-pressed={following}
              leftSection={<IconArrowBarToDown size={16} stroke={1.75} aria-hidden />}
              onClick={() => setFollowing(!following)}
            >
              {following ? 'Following' : 'Follow'}
            </Button>
          )}
          <Button
            leftSection={<IconDownload size={16} stroke={1.75} aria-hidden />}
            loading={save.isPending}
            disabled={feed.rows.length === 0}
            onClick={() => save.mutate()}
          >
            Download
          </Button>
        </>
      }
      foot={
        <>
          <span className="num">
            {feed.problem ??
              (live
                ? following
                  ? 'Live, at the newest line'
                  : 'Live, not following'
                : feed.complete
                  ? 'Complete'
                  : 'The rest is on its way')}
            {hidden > 0 && ` · ${countOf(hidden, 'line')} hidden by the filter`}
          </span>
          {feed.skipped > 0 && (
            <span className="num">The first {formatCount(feed.skipped)} lines are in the download</span>
          )}
          {save.isError && <span className="tone-bad">The download failed. {sentenceFor(save.error)}</span>}
        </>
      }
    >
      <div className="log-tools">
        <SegmentedControl
          aria-label="Level"
          data={[
            { value: 'all', label: 'All' },
            { value: 'problems', label: `Warnings and errors ${formatCount(problems)}` },
          ]}
          value={level}
          onChange={value => setLevel(value as typeof level)}
        />
        <TextInput
          className="log-search"
          aria-label="Search the log"
          placeholder="Search the log"
          leftSection={<IconSearch size={16} stroke={1.75} aria-hidden />}
          value={typed}
          onChange={event => setTyped(event.currentTarget.value)}
        />
        {search !== '' && <span className="dim num">{countOf(shown.length, 'line')}</span>}
      </div>
      {shown.length === 0 ? (
        <p className="log-empty dim">
          {feed.rows.length > 0
            ? 'No line matches.'
            : !live && feed.complete
              ? 'This job left no log.'
              : 'No line yet.'}
        </p>
      ) : (
        <Lines rows={shown} search={search} following={following && live} setFollowing={setFollowing} />
      )}
    </Panel>
  )
}
