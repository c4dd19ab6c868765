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
import { HostName, ShortName } from '../parts/short-name.tsx'
import { VirtualTable } from '../parts/virtual-table.tsx'
import { Age } from '../parts/when.tsx'
import { trpc } from '../trpc.ts'
import { backendWords } from '../words.ts'
import './repositories.css'

const Name = ({ repository }: { repository: RepositoryView }) => (
  <Link
    to="/repositories/$repositoryId"
    params={{ repositoryId: repository.id }}
    className="row-link cut"
    title={repository.name}
    aria-label={repository.name}
  >
    <ShortName name={repository.name} />
  </Link>
)

function UsedBy({ repository: { hosts, hostCount } }: { repository: RepositoryView }) {
  const [only] = hosts
  if (only === undefined) return 'no host'
  return hostCount === 1 ? <HostName name={only.name} /> : countOf(hostCount, 'host')
}

const Head = () => (
  <div role="row" className="table-head table-head-stuck" aria-rowindex={1}>
    <div role="columnheader">Repository</div>
    <div role="columnheader" className="repository-where">
      Where
    </div>
    <div role="columnheader" className="repository-used">
      Used by
    </div>
    <div role="columnheader">Last backup</div>
    <div role="columnheader" className="right">
      Snapshots
    </div>
    <div role="columnheader" className="right">
      Size
    </div>
    <div role="columnheader">State</div>
  </div>
)

const WideRow = ({ repository }: { repository: RepositoryView }) => (
  <>
    <div role="cell" className="cut">
      <Name repository={repository} />
    </div>
    <div role="cell" className="dim repository-where">
      <span className="one-line">{backendWords[repository.kind]},</span>
      <span className="mono cut">
        <ShortName name={repository.url} most={200} />
      </span>
    </div>
    <div role="cell" className="second cut repository-used">
      <UsedBy repository={repository} />
    </div>
    <div role="cell">
      {repository.resticId === null ? (
        <span className="dim one-line">not opened yet</span>
      ) : (
        <Age at={repository.lastBackupAt} none="–" />
      )}
    </div>
    <div role="cell" className="num right">
      {formatCount(repository.snapshotCount)}
    </div>
    <div role="cell" className="num right strong">
      {repository.sizeBytes === null ? '–' : formatBytes(repository.sizeBytes)}
    </div>
    <div role="cell" className="row">
      <RepositoryMarks repository={repository} />
    </div>
  </>
)

const NarrowRow = ({ repository }: { repository: RepositoryView }) => (
  <>
    <div className="phone-line">
      <Name repository={repository} />
      <span className="num strong one-line">
        {repository.sizeBytes === null ? '' : formatBytes(repository.sizeBytes)}
      </span>
    </div>
    <div className="phone-line dim">
      <span className="row repository-phone-used">
        <span className="one-line">{backendWords[repository.kind]},</span>
        <span className="cut">
          <UsedBy repository={repository} />
        </span>
      </span>
      <span className="num one-line">{countOf(repository.snapshotCount, 'snapshot')}</span>
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
