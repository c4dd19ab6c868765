// Acts in rows: when, who, what, about what, and what changed. A row opens the change field by field.
import type { AuditEventView } from '@restic-manager/contract/audit'
import { Button, Modal } from '@mantine/core'
import { useState } from 'react'
import { changeInALine, changesOf } from '../audit-words.ts'
import { formatExact } from '../format.ts'
import { useZone } from '../time-zone.ts'
import { Details } from './panel.tsx'
import { VirtualTable } from './virtual-table.tsx'
import { When } from './when.tsx'
import './table.css'
import './audit-table.css'

type Opens = { event: AuditEventView; open: (event: AuditEventView) => void }

const Action = ({ event, open }: Opens) => (
  <button type="button" className="row-link audit-action cut" onClick={() => open(event)}>
    {event.action}
  </button>
)

const aboutOf = ({ targetKind, targetName }: AuditEventView) =>
  targetKind === null || targetKind === targetName ? (targetName ?? '–') : `${targetKind} ${targetName ?? ''}`

const WideRow = ({ event, open }: Opens) => (
  <>
    <div role="cell" className="cut">
      <When at={event.at} />
    </div>
    <div role="cell" className="cut" title={event.actorName}>
      {event.actorName}
    </div>
    <div role="cell" className="cut">
      <Action event={event} open={open} />
    </div>
    <div role="cell" className="cut second" title={aboutOf(event)}>
      {aboutOf(event)}
    </div>
    <div role="cell" className="cut dim audit-change">
      {changeInALine(event)}
    </div>
  </>
)

const NarrowRow = ({ event, open }: Opens) => (
  <>
    <div className="phone-line">
      <Action event={event} open={open} />
      <span className="dim audit-when">
        <When at={event.at} />
      </span>
    </div>
    <div className="phone-line dim">
      <span className="cut">
        {event.actorName} · {aboutOf(event)}
      </span>
    </div>
  </>
)

const Head = () => (
  <div role="row" className="table-head table-head-stuck" aria-rowindex={1}>
    {['When', 'Who', 'What', 'About'].map(word => (
      <div key={word} role="columnheader">
        {word}
      </div>
    ))}
    <div role="columnheader" className="audit-change">
      What changed
    </div>
  </div>
)

function Change({ event }: { event: AuditEventView }) {
  const changes = changesOf(event)
  if (changes.length === 0) return <p className="dim">It says no more than that.</p>
  return (
    <dl className="audit-diff">
      {changes.map(({ field, before, after }) => (
        <div key={field}>
          <dt>{field}</dt>
          {before !== undefined && before !== after && (
            <dd className="audit-before">
              <span aria-hidden>−</span>
              <del>{before}</del>
            </dd>
          )}
          {after !== undefined && (
            <dd className={event.before === null ? 'audit-said' : 'audit-after'}>
              <span aria-hidden>{event.before === null ? '' : '+'}</span>
              <ins>{after}</ins>
            </dd>
          )}
        </div>
      ))}
    </dl>
  )
}

function Act({ event, onTarget }: { event: AuditEventView; onTarget: (targetId: string) => void }) {
  const zone = useZone()
  const { targetId } = event
  return (
    <div className="stack">
      <Details
        items={[
          { term: 'Row', value: event.id },
          { term: 'When', value: formatExact(event.at, zone) },
          { term: 'Who', value: `${event.actorName} (${event.actorKind})` },
          ...(event.address === null ? [] : [{ term: 'From', value: event.address }]),
          { term: 'About', value: aboutOf(event) },
        ]}
      />
      <Change event={event} />
      <p className="dim audit-hash break">{event.hash}</p>
      {targetId !== null && (
        <div className="row">
          <Button onClick={() => onTarget(targetId)}>Show everything about it</Button>
        </div>
      )}
    </div>
  )
}

/** The whole log, read as it is scrolled. */
export function AuditTable({
  events,
  hasMore,
  onView,
  onTarget,
}: {
  events: AuditEventView[]
  hasMore: boolean
  onView: (first: number, last: number) => void
  onTarget: (targetId: string) => void
}) {
  const [opened, setOpened] = useState<AuditEventView>()
  return (
    <>
      <VirtualTable
        label="Audit log"
        className="audit-table"
        head={<Head />}
        rows={events}
        total={events.length + (hasMore ? 1 : 0)}
        keyOf={event => event.id}
        renderWide={event => <WideRow event={event} open={setOpened} />}
        renderNarrow={event => <NarrowRow event={event} open={setOpened} />}
        onView={onView}
      />
      <Modal opened={opened !== undefined} onClose={() => setOpened(undefined)} title={opened?.action}>
        {opened !== undefined && (
          <Act
            event={opened}
            onTarget={targetId => {
              setOpened(undefined)
              onTarget(targetId)
            }}
          />
        )}
      </Modal>
    </>
  )
}
