// The rows of the list of hosts: a table from 768 px, two-line rows below, only those in view on the page.
import type { HostRow } from '@restic-manager/contract/views'
import { IconArrowUp, IconArrowsDiff } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { memo, type ReactNode } from 'react'
import { formatPercent } from '../format.ts'
import { driftOf } from '../drift.ts'
import type { Selection } from '../selection.ts'
import { kindWords, shortReason } from '../words.ts'
import { AgeCell } from './age-cell.tsx'
import { DayStrip } from './day-strip.tsx'
import { LiveBar } from './live-bar.tsx'
import { HostName } from './short-name.tsx'
import { HostStateMark, JobStatusMark, LateMark } from './status.tsx'
import { VirtualTable } from './virtual-table.tsx'
import { When } from './when.tsx'
import './host-table.css'

type Sort = 'name' | 'lastGoodBackup'

function LastResult({ host }: { host: HostRow }) {
  const { runningJob: running, lastJob: last } = host
  if (running !== null) {
    const share = running.percentDone ?? undefined
    return (
      <div className="host-running">
        <JobStatusMark
          status={running.status}
          beside={
            running.status !== 'running'
              ? undefined
              : share === undefined
                ? kindWords[running.kind].toLowerCase()
                : formatPercent(share)
          }
        />
        {running.status === 'running' && (
          <LiveBar share={share} label={`${kindWords[running.kind]} on ${host.name}`} still={!host.online} />
        )}
      </div>
    )
  }
  if (last === null) return <span className="dim">no job yet</span>
  const reason = last.status === 'succeeded' ? undefined : shortReason(last.reason)
  return (
    <JobStatusMark
      status={last.status}
      beside={
        last.kind === 'backup'
          ? reason
          : `${kindWords[last.kind].toLowerCase()}${reason === undefined ? '' : `, ${reason}`}`
      }
    />
  )
}

function Plan({ host }: { host: HostRow }) {
  const drift = driftOf(host)
  if (drift === undefined) return <span className="dim">in sync</span>
  return (
    <span className="chip chip-warn" title={`The host has not applied its newest ${drift.what} yet.`}>
      <IconArrowsDiff size={14} stroke={1.75} aria-hidden />
      <span className="num">
        v{drift.applied} → {drift.wanted}
      </span>
    </span>
  )
}

function Tags({ tags }: { tags: string[] }) {
  const [first, ...others] = tags
  if (first === undefined) return null
  return (
    <span className="row" title={tags.join(', ')}>
      <span className="chip cut">{first}</span>
      {others.length > 0 && <span className="dim num">+{others.length}</span>}
    </span>
  )
}

const Name = ({ host }: { host: HostRow }) => (
  <Link
    to="/hosts/$hostId"
    params={{ hostId: host.id }}
    className="row-link cut"
    title={host.name}
    aria-label={host.name}
  >
    <HostName name={host.name} />
  </Link>
)

/** Late is said first where the link is well: a host that is heard of and does not back up. */
const State = ({ host }: { host: HostRow }) =>
  host.lateSince !== null && host.state === 'online' ? <LateMark /> : <HostStateMark state={host.state} />

function NextRun({ host }: { host: HostRow }) {
  if (host.state === 'paused') return <span className="dim">paused</span>
  if (host.state === 'quarantined') return <span className="dim">held</span>
  if (host.runningJob?.status === 'running') return <span className="dim">now</span>
  return <When at={host.nextRunAt} />
}

/** Scrolling moves rows; only one whose host or job is another is drawn again. */
const WideRow = memo(function WideRow({ host }: { host: HostRow }) {
  return (
    <>
      <div role="cell">
        <State host={host} />
      </div>
      <div role="cell" className="cut">
        <Name host={host} />
      </div>
      <div role="cell">
        <LastResult host={host} />
      </div>
      <div role="cell">
        <AgeCell at={host.lastGoodBackupAt} objectiveMs={host.objectiveMs} late={host.lateSince !== null} />
      </div>
      <div role="cell" className="host-from-1080">
        <DayStrip days={host.days} />
      </div>
      <div role="cell" className="num cut host-from-1440">
        <NextRun host={host} />
      </div>
      <div role="cell" className="second num cut host-from-1080">
        {host.agentVersion ?? '–'}, {host.resticVersion ?? <span className="tone-bad">no restic</span>}
      </div>
      <div role="cell">
        <Plan host={host} />
      </div>
      <div role="cell" className="host-from-1440">
        <Tags tags={host.tags} />
      </div>
    </>
  )
})

const NarrowRow = memo(function NarrowRow({ host }: { host: HostRow }) {
  const isWell = host.state === 'online' && host.lateSince === null
  return (
    <>
      <div className="phone-line">
        <Name host={host} />
        {isWell ? <LastResult host={host} /> : <State host={host} />}
      </div>
      <div className="phone-line host-phone-days">
        <AgeCell at={host.lastGoodBackupAt} objectiveMs={host.objectiveMs} late={host.lateSince !== null} />
        {driftOf(host) !== undefined && <Plan host={host} />}
        <DayStrip days={host.days} />
      </div>
    </>
  )
})

/** The box over those of the rows: all rows that were read so far. */
function CheckAll({ rows, selection }: { rows: HostRow[]; selection: Selection }) {
  const chosen = rows.filter(({ id }) => selection.has(id)).length
  return (
    <div role="columnheader" className="row-check">
      <input
        type="checkbox"
        aria-label="Choose the hosts listed so far"
        checked={chosen > 0 && chosen === rows.length}
        ref={input => {
          if (input !== null) input.indeterminate = chosen > 0 && chosen < rows.length
        }}
        onChange={() => selection.toggleThese(rows.map(({ id }) => id))}
      />
    </div>
  )
}

function Head({ sort, onSort, check }: { sort: Sort; onSort: (sort: Sort) => void; check: ReactNode }) {
  const sortable = (value: Sort, word: string) => (
    <div role="columnheader" aria-sort={sort === value ? 'ascending' : 'none'}>
      <button
        type="button"
        className={`sort ${sort === value ? 'sort-on' : ''}`}
        onClick={() => onSort(value)}
      >
        {word}
        {sort === value && <IconArrowUp size={14} stroke={1.75} aria-hidden />}
      </button>
    </div>
  )
  const plain = (word: string, className = '') => (
    <div role="columnheader" className={className}>
      {word}
    </div>
  )
  return (
    <div role="row" className="table-head table-head-stuck" aria-rowindex={1}>
      {check}
      {plain('State')}
      {sortable('name', 'Host')}
      {plain('Last result')}
      {sortable('lastGoodBackup', 'Last good backup')}
      {plain('14 days', 'host-from-1080')}
      {plain('Next run', 'host-from-1440')}
      {plain('Agent, restic', 'host-from-1080')}
      {plain('Plan')}
      {plain('Tags', 'host-from-1440')}
    </div>
  )
}

/** `onView` hears which rows are on the screen. `selection`: rows can be chosen. */
export function HostTable({
  rows,
  total,
  sort,
  onSort,
  onView,
  selection,
}: {
  rows: HostRow[]
  total: number
  sort: Sort
  onSort: (sort: Sort) => void
  onView: (first: number, last: number) => void
  selection: Selection | undefined
}) {
  return (
    <VirtualTable
      label="Hosts"
      className="host-table"
      head={
        <Head
          sort={sort}
          onSort={onSort}
          check={selection && <CheckAll rows={rows} selection={selection} />}
        />
      }
      choosing={
        selection && {
          has: host => selection.has(host.id),
          toggle: host => selection.toggle(host.id),
          nameOf: host => host.name,
        }
      }
      rows={rows}
      total={total}
      keyOf={host => host.id}
      renderWide={host => <WideRow host={host} />}
      renderNarrow={host => <NarrowRow host={host} />}
      onView={onView}
    />
  )
}
