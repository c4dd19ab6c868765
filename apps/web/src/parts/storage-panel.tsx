// How much the backups take: all repositories together, and the largest of them.
import type { Overview, RepositoryGrowth } from '@restic-manager/contract/overview'
import { useIntersection } from '@mantine/hooks'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { countOf, formatBytes } from '../format.ts'
import { backendWords } from '../words.ts'
import { Panel } from './panel.tsx'
import { Sparkline } from './sparkline.tsx'
import './storage-panel.css'

const SizeChart = lazy(() => import('./size-chart.tsx'))
const HEIGHT = 220

/** "+212 GiB", "−3.1 GiB", "0 B". */
const changeInWords = (bytes: number): string =>
  `${bytes > 0 ? '+' : bytes < 0 ? '−' : ''}${formatBytes(Math.abs(bytes))}`

function Row({ row }: { row: RepositoryGrowth }) {
  const change = row.change30d === null ? '–' : changeInWords(row.change30d)
  return (
    <tr>
      <th scope="row" className="cut">
        <Link
          to="/repositories/$repositoryId"
          params={{ repositoryId: row.id }}
          className="running-name"
          title={row.name}
        >
          {row.name}
        </Link>
        {row.storageFull && <span className="chip chip-bad storage-full">full</span>}
      </th>
      <td className="num">{row.sizeBytes === null ? '–' : formatBytes(row.sizeBytes)}</td>
      <td className="num">{change}</td>
      <td className="storage-trend">
        <Sparkline
          values={row.trend.map(({ sizeBytes }) => sizeBytes)}
          label={`${row.name}: ${change} in 30 days`}
        />
      </td>
      <td className="num">{row.dedupRatio === null ? '–' : `${row.dedupRatio.toFixed(1)} ×`}</td>
      <td className="dim storage-kind">{backendWords[row.kind]}</td>
    </tr>
  )
}

/** The largest first; the rest are a number and a link. What draws the chart weighs half of the page: it comes once somebody scrolls there. */
export function StoragePanel({ storage }: { storage: Overview['storage'] }) {
  const hidden = storage.repositoryCount - storage.rows.length
  const isMeasured = storage.rows.some(({ sizeBytes }) => sizeBytes !== null)
  const { ref, entry } = useIntersection({ rootMargin: '200px' })
  const [isNear, setNear] = useState(false)
  if (entry?.isIntersecting === true && !isNear) setNear(true)
  return (
    <Panel
      title="Storage"
      count={
        isMeasured
          ? `${formatBytes(storage.sizeBytes)} in ${storage.repositoryCount === 1 ? '1 repository' : `${storage.repositoryCount} repositories`}`
          : 'not measured yet'
      }
      actions={
        isMeasured && <span className="dim num strip-note">{changeInWords(storage.change30d)} in 30 d</span>
      }
      foot={hidden > 0 && <Link to="/repositories">and {countOf(hidden, 'more').replace(/s$/, '')}</Link>}
      flush
    >
      <div className="storage">
        <div ref={ref} className="storage-chart" style={{ height: HEIGHT + 24 }}>
          {storage.trend.length > 1 ? (
            <Suspense>{isNear && <SizeChart points={storage.trend} height={HEIGHT} />}</Suspense>
          ) : (
            <p className="dim">The line begins once sizes of two days are known.</p>
          )}
        </div>
        <table className="storage-table">
          <thead>
            <tr className="dim">
              <th scope="col">Repository</th>
              <th scope="col">Size</th>
              <th scope="col">30 days</th>
              <th scope="col" className="storage-trend">
                Trend
              </th>
              <th scope="col">Dedup</th>
              <th scope="col" className="storage-kind">
                Storage
              </th>
            </tr>
          </thead>
          <tbody>
            {storage.rows.map(row => (
              <Row key={row.id} row={row} />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}
