// A panel: a head with title, count and actions, a body, sometimes a foot.
import type { ReactNode } from 'react'
import './panel.css'

/** A bordered part of a page. `flush`: the body's rows touch the edges. */
export function Panel({
  title,
  count,
  actions,
  foot,
  flush = false,
  children,
}: {
  title?: ReactNode
  count?: ReactNode
  actions?: ReactNode
  foot?: ReactNode
  flush?: boolean
  children: ReactNode
}) {
  return (
    <section className="panel">
      {title != null && (
        <header className="panel-head">
          <h2 className="panel-title cut">{title}</h2>
          {count != null && <span className="dim num">{count}</span>}
          {actions != null && <div className="panel-actions">{actions}</div>}
        </header>
      )}
      <div className={flush ? 'panel-flush' : 'panel-body'}>{children}</div>
      {foot != null && foot !== false && <footer className="panel-foot dim">{foot}</footer>}
    </section>
  )
}

/** Why a place is empty, and the button that fills it. */
export function Empty({
  title,
  children,
  action,
}: {
  title: string
  children?: ReactNode
  action?: ReactNode
}) {
  return (
    <div className="empty">
      <p className="strong">{title}</p>
      {children != null && <p className="dim">{children}</p>}
      {action}
    </div>
  )
}

/** Rows in the shape of what is on its way. */
export function SkeletonRows({ rows = 6, height = 36 }: { rows?: number; height?: number }) {
  return (
    <div aria-hidden>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton-row" style={{ height }}>
          <span style={{ width: `${18 + ((row * 7) % 12)}%` }} />
          <span style={{ width: `${24 + ((row * 11) % 20)}%` }} />
          <span style={{ width: `${10 + ((row * 5) % 9)}%` }} />
        </div>
      ))}
    </div>
  )
}

/** A page's title row: name, state and chips at the left, a line below, actions at the right. */
export function PageHead({
  title,
  beside,
  below,
  actions,
}: {
  title: ReactNode
  beside?: ReactNode
  below?: ReactNode
  actions?: ReactNode
}) {
  return (
    <div className="page-head">
      <div className="page-head-words">
        <div className="row row-wrap">
          <h1 className="page-title break">{title}</h1>
          {beside}
        </div>
        {below != null && <p className="dim break">{below}</p>}
      </div>
      {actions != null && <div className="page-actions">{actions}</div>}
    </div>
  )
}

/** Terms and their values, one a line. */
export function Details({ items }: { items: { term: string; value: ReactNode }[] }) {
  return (
    <dl className="details">
      {items.map(({ term, value }) => (
        <div key={term}>
          <dt className="dim">{term}</dt>
          <dd className="break num">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** The strip of values at the top of a page. */
export function Vitals({
  items,
}: {
  items: { label: string; value: ReactNode; below?: ReactNode; tone?: 'warn' | 'bad' | undefined }[]
}) {
  return (
    <dl className="vitals">
      {items.map(({ label, value, below, tone }) => (
        <div key={label} className="vital">
          <dt>{label}</dt>
          <dd className={`vital-value num ${tone === undefined ? '' : `tone-${tone}`}`}>{value}</dd>
          <dd className="vital-below num">{below ?? ' '}</dd>
        </div>
      ))}
    </dl>
  )
}
