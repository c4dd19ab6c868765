// Adding a repository, as a page of its own.
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { AddRepository } from '../parts/add-repository.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { PageHead } from '../parts/panel.tsx'
import './add-repository.css'

const route = getRouteApi('/shell/repositories/add')

/** The form, then what follows from it. */
export function AddRepositoryPage() {
  const { hostId } = route.useSearch()
  const navigate = useNavigate()
  return (
    <div className="narrow-page stack">
      <Crumbs way={[{ word: 'Repositories', link: { to: '/repositories' } }]} here="Add repository" />
      <PageHead
        title="Add repository"
        below="A place that holds backups. Data goes there straight from the hosts, never through this server."
      />
      <AddRepository
        hostId={hostId}
        readyWord="Open the repository"
        onReady={repositoryId =>
          void navigate({ to: '/repositories/$repositoryId', params: { repositoryId } })
        }
        onCancel={() => void navigate({ to: '/repositories' })}
      />
    </div>
  )
}
