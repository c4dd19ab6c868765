// How large a repository was over time, and how much of what its snapshots hold is stored only once.
import type { RepositorySizes as Sizes } from '@restic-manager/contract/overview'
import type { RepositoryView } from '@restic-manager/contract/views'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { useNow } from '../clock.ts'
import { formatBytes } from '../format.ts'
import { trpc } from '../trpc.ts'
import { Empty, Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'

const SizeChart = lazy(() => import('./size-chart.tsx'))
const HEIGHT = 200
const DAYS = 365

const dayWords = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

/** Of a repository whose first figure is younger than 30 days, since that one. */
function changeInWords({ points, change30d }: Sizes, now: number): string | undefined {
  const [first] = points
  if (points.length < 2 || first === undefined || change30d === null) return undefined
  const isOld = now - Date.parse(first.day) >= 30 * 86_400_000
  const since = isOld ? 'in 30 days' : `since ${dayWords.format(new Date(first.day))}`
  if (change30d === 0) return `No larger or smaller ${since}.`
  return `${change30d > 0 ? 'Grew' : 'Shrank'} by ${formatBytes(Math.abs(change30d))} ${since}.`
}

const dedupInWords = (ratio: number | null): string | undefined =>
  ratio === null
    ? undefined
    : `Its snapshots hold ${ratio.toFixed(1)} times what is stored: the rest was the same, or could be compressed.`

function whyNoLine(repository: RepositoryView, points: number) {
  if (points === 1)
    return (
      <Empty title="The line begins tomorrow.">
        It takes sizes of two days. A host measures the repository once a day, and after each prune and check.
      </Empty>
    )
  return (
    <Empty title="Nobody has measured it yet.">
      {repository.hosts.length === 0
        ? 'No host uses it. Hosts measure the repositories they use.'
        : 'A host measures it once a day, and after each prune and check.'}
    </Empty>
  )
}

/** The size by day of the last year. */
export function RepositorySizes({ repository }: { repository: RepositoryView }) {
  const sizes = useQuery(trpc.repositories.sizes.queryOptions({ repositoryId: repository.id, days: DAYS }))
  const now = useNow(60_000)
  const points = sizes.data?.points ?? []
  const words = [sizes.data && changeInWords(sizes.data, now), dedupInWords(repository.dedupRatio)].filter(
    sentence => sentence !== undefined,
  )
  return (
    <Panel
      title="Size over time"
      count={repository.sizeBytes === null ? undefined : formatBytes(repository.sizeBytes)}
      foot={words.length > 0 && words.join(' ')}
    >
      <QueryProblem what="The sizes" query={sizes} />
      {sizes.isPending && <SkeletonRows rows={5} height={HEIGHT / 5} />}
      {sizes.data !== undefined && points.length < 2 && whyNoLine(repository, points.length)}
      {points.length > 1 && (
        <div style={{ height: HEIGHT }}>
          <Suspense>
            <SizeChart points={points} height={HEIGHT} />
          </Suspense>
        </div>
      )}
    </Panel>
  )
}
