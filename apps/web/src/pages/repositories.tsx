// All repositories: where each is, who uses it, how big and how fresh it is.
import type { RepositoryView } from '@restic-manager/contract/views'
import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { countOf, formatBytes, formatCount } from '../format.ts'
import { useMay } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { RepositoryMarks } from '../parts/repository-card.tsx'
import { VirtualTable } from '../parts/virtual-table.tsx'
import { Age } from '../parts/when.tsx'
import { trpc } from '../trpc.ts'
import { backendWords } from '../words.ts'
import './repositories.css'

const Name = ({ repository }: { repository: RepositoryView }) => (
  <Link to="/repositories/$repositoryId" params={{ repositoryId: repository.id }} className="row-link cut">
    {repository.name}
  </Link>
)

const usedBy = ({ hosts }: RepositoryView): string =>
  hosts.length === 0 ? 'no host' : hosts.length === 1 ? (hosts[0]?.name ?? '') : countOf(hosts.length, 'host')

const Head = () => (
  <div role="row" className="table-head table-head-stuck" aria-rowindex={1}>
    {['Repository', 'Where', 'Used by', 'Last backup'].map(word => (
      <div key={word} role="columnheader">
        {word}
      </div>
    ))}
    <div role="columnheader" className="right">
      Snapshots
    </div>
    <div role="columnheader" className="right">
      Size
    </div>
    <div role="columnheader" className="repository-marks">
      State
    </div>
  </div>
)

const WideRow = ({ repository }: { repository: RepositoryView }) => (
  <>
    <div role="cell" className="cut">
      <Name repository={repository} />
    </div>
    <div role="cell" className="dim cut" title={repository.url}>
      {backendWords[repository.kind]}, <span className="mono">{repository.url}</span>
    </div>
    <div role="cell" className="second cut">
      {usedBy(repository)}
    </div>
    <div role="cell">
      <Age at={repository.lastBackupAt} none="–" />
    </div>
    <div role="cell" className="num right">
      {formatCount(repository.snapshotCount)}
    </div>
    <div role="cell" className="num right strong">
      {repository.sizeBytes === null ? '–' : formatBytes(repository.sizeBytes)}
    </div>
    <div role="cell" className="repository-marks">
      <RepositoryMarks repository={repository} />
    </div>
  </>
)

const NarrowRow = ({ repository }: { repository: RepositoryView }) => (
  <>
    <div className="phone-line">
      <Name repository={repository} />
      <span className="num strong">
        {repository.sizeBytes === null ? '' : formatBytes(repository.sizeBytes)}
      </span>
    </div>
    <div className="phone-line dim">
      <span className="cut">
        {backendWords[repository.kind]}, {usedBy(repository)}
      </span>
      <span className="num">{countOf(repository.snapshotCount, 'snapshot')}</span>
    </div>
  </>
)

/** The list of repositories. */
export function RepositoriesPage() {
  const mayAdd = useMay('admin')
  const repositories = useQuery(trpc.repositories.list.queryOptions())
  const rows = repositories.data ?? []
  const add = (
    <LinkButton
      to="/repositories/add"
      variant="filled"
      leftSection={<IconPlus size={16} stroke={1.75} aria-hidden />}
    >
      Add repository
    </LinkButton>
  )
  return (
    <>
      <Crumbs here="Repositories" />
      <PageHead title="Repositories" actions={mayAdd && rows.length > 0 && add} />
      <QueryProblem what="The list of repositories" query={repositories} />
      <Panel flush>
        {repositories.isPending && <SkeletonRows rows={4} />}
        {rows.length > 0 && (
          <VirtualTable
            label="Repositories"
            className="repository-table"
            head={<Head />}
            rows={rows}
            total={rows.length}
            keyOf={repository => repository.id}
            renderWide={repository => <WideRow repository={repository} />}
            renderNarrow={repository => <NarrowRow repository={repository} />}
            needMore={() => undefined}
          />
        )}
        {repositories.isSuccess && rows.length === 0 && (
          <Empty title="No repository yet." action={mayAdd && add}>
            A repository is a place that holds backups: a folder, a REST or SFTP server, or an S3 bucket. Data
            goes there straight from the hosts.
          </Empty>
        )}
      </Panel>
    </>
  )
}
