// Third step of the set-up: the folders at the left, the repository at the right.
import type { Id } from '@restic-manager/contract/ids'
import type { HostView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { defaultExcludes, defaultPaths } from '../backup-defaults.ts'
import { complaintAboutSource } from '../source-complaints.ts'
import { trpc } from '../trpc.ts'
import { AddRepository } from './add-repository.tsx'
import { Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import { SourceFields } from './source-fields.tsx'

/** Absolute paths on the host, and patterns in restic's own syntax. */
export type Source = { paths: string[]; excludes: string[] }

type Props = {
  initial: Source | undefined
  onReady: (source: Source, repositoryId: Id) => void
  onBack: () => void
}

function Existing({ host, onUse }: { host: HostView; onUse: (repositoryId: Id) => void }) {
  return (
    <Panel title="Repositories of this host" flush>
      {host.repositories.map(({ id, name, url }) => (
        <div key={id} className="table-line">
          <div className="grow">
            <p className="strong cut">{name}</p>
            <p className="dim cut">{url}</p>
          </div>
          <Button onClick={() => onUse(id)}>Use {name}</Button>
        </div>
      ))}
    </Panel>
  )
}

function Form({ host, initial, onReady, onBack }: Props & { host: HostView }) {
  const [paths, setPaths] = useState(initial?.paths ?? defaultPaths(host))
  const [excludes, setExcludes] = useState<string[]>(initial?.excludes ?? defaultExcludes)
  const complaints = complaintAboutSource(paths, excludes)
  const goOn = (repositoryId: Id) => {
    if (Object.keys(complaints).length === 0) onReady({ paths, excludes }, repositoryId)
    else document.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }
  // What was there when the step began: one that is added here belongs to the form below.
  const [known] = useState(host)
  return (
    <>
      <div className="set-up-columns">
        <Panel title={`Folders on ${host.name}`}>
          <div className="stack">
            <SourceFields
              paths={paths}
              excludes={excludes}
              onPaths={setPaths}
              onExcludes={setExcludes}
              complaints={complaints}
            />
          </div>
        </Panel>
        <div className="stack">
          {known.repositories.length > 0 && <Existing host={known} onUse={goOn} />}
          <AddRepository hostId={host.id} onReady={goOn} readyWord="Continue to the plan" />
        </div>
      </div>
      <div className="row set-up-foot">
        <Button onClick={onBack}>Back</Button>
      </div>
    </>
  )
}

/** `onReady` is called with folders the server would take and a repository that is saved. */
export function SourceAndRepository({ hostId, ...more }: Props & { hostId: Id }) {
  const host = useQuery(trpc.hosts.get.queryOptions({ hostId }))
  if (host.data !== undefined) return <Form host={host.data} {...more} />
  return host.isPending ? (
    <Panel flush>
      <SkeletonRows rows={5} height={52} />
    </Panel>
  ) : (
    <QueryProblem what="The host" query={host} />
  )
}
