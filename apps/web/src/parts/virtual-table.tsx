// A long list on the page: a table from 768 px, two-line rows below, and only the rows in view exist.
import { useMediaQuery } from '@mantine/hooks'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import './table.css'

const WIDE = 36
const NARROW = 60

/** Whether rows are drawn for a phone. */
export const useNarrow = (): boolean => useMediaQuery('(max-width: 767px)', window.innerWidth < 768) ?? false

/** Rows can be chosen: each begins with a box to tick, and Space ticks it while the row has the focus. */
export type Choosing<Row> = {
  has: (row: Row) => boolean
  toggle: (row: Row) => void
  nameOf: (row: Row) => string
}

/** The arrow keys go from row to row, as far as rows exist. */
function moveFocus(from: HTMLElement, by: 1 | -1): boolean {
  const row = from.closest('[aria-rowindex]')
  const index = Number(row?.getAttribute('aria-rowindex')) + by
  const next = row?.parentElement?.querySelector<HTMLElement>(`[aria-rowindex="${index}"] .row-link`)
  next?.focus()
  return next != null
}

/** `renderWide` gives the cells of a row, `renderNarrow` its two lines. `onView` hears which rows exist. */
export function VirtualTable<Row>({
  label,
  className,
  head,
  rows,
  total,
  keyOf,
  renderWide,
  renderNarrow,
  onView,
  choosing,
}: {
  label: string
  className: string
  head: ReactNode
  rows: Row[]
  total: number
  keyOf: (row: Row) => string
  renderWide: (row: Row) => ReactNode
  renderNarrow: (row: Row) => ReactNode
  onView?: (first: number, last: number) => void
  choosing?: Choosing<Row> | undefined
}) {
  const isNarrow = useNarrow()
  const list = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  // What stands above the list may grow or shrink at any render; an equal number changes nothing.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  useLayoutEffect(() => {
    const element = list.current
    if (element !== null) setTop(Math.round(element.getBoundingClientRect().top + window.scrollY))
  })
  const height = isNarrow ? NARROW : WIDE
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: top,
    getItemKey: index => {
      const row = rows[index]
      return row === undefined ? index : keyOf(row)
    },
  })
  useEffect(() => virtual.measure(), [virtual, height])
  const shown = virtual.getVirtualItems()
  const first = shown[0]?.index ?? 0
  const last = shown.at(-1)?.index ?? 0
  useEffect(() => onView?.(first, last), [first, last, onView])

  return (
    <div
      className={`table ${className} ${choosing === undefined ? '' : 'table-choosing'}`}
      role="table"
      aria-label={label}
      aria-rowcount={total + 1}
    >
      {!isNarrow && head}
      <div ref={list} className="table-virtual" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {shown.map(({ index, key, start }) => {
          const row = rows[index]
          if (row === undefined) return null
          return (
            <div
              key={key}
              role="row"
              aria-rowindex={index + 2}
              data-first={index === 0 ? '' : undefined}
              className={`${isNarrow ? 'phone-row' : 'table-row'} ${choosing?.has(row) === true ? 'row-chosen' : ''}`}
              style={{ transform: `translateY(${start - top}px)` }}
              onKeyDown={event => {
                const { key, target } = event
                if (!(target instanceof HTMLAnchorElement)) return
                const isMove = key === 'ArrowDown' || key === 'ArrowUp'
                if (isMove && moveFocus(target, key === 'ArrowDown' ? 1 : -1)) event.preventDefault()
                if (key !== ' ' || choosing === undefined) return
                event.preventDefault()
                choosing.toggle(row)
              }}
            >
              {choosing !== undefined && (
                <div role="cell" className="row-check row-above">
                  <input
                    type="checkbox"
                    aria-label={`Choose ${choosing.nameOf(row)}`}
                    checked={choosing.has(row)}
                    onChange={() => choosing.toggle(row)}
                  />
                </div>
              )}
              {isNarrow ? <div role="cell">{renderNarrow(row)}</div> : renderWide(row)}
            </div>
          )
        })}
      </div>
    </div>
  )
}
