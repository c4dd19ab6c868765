// Step two of the set-up: the machine beside the server turns green by itself; others can be added at once.
import type { Id } from '@restic-manager/contract/ids'
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { trpc } from '../trpc.ts'
import { AddHost } from './add-host.tsx'
import { Empty, Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import { HostStateMark } from './status.tsx'
import './table.css'

/** Lists the hosts there are and lets one be chosen for the first backup. */
export function ThisMachine({ onReady }: { onReady: (hostId: Id) => void }) {
  const [adding, setAdding] = useState(false)
  const hosts = useQuery(trpc.hosts.list.queryOptions({ limit: 20 }))
  const rows = hosts.data?.rows ?? []
  return (
    <>
      <Panel
        title="Hosts"
        count={hosts.data?.counts.all}
        actions={<Button onClick={() => setAdding(true)}>Add host</Button>}
        flush
      >
        <QueryProblem what="The list of hosts" query={hosts} />
        {hosts.isPending && <SkeletonRows rows={2} height={52} />}
        {hosts.data !== undefined && rows.length === 0 && (
          <Empty title="Waiting for the agent of this machine">
            It connects within a few seconds when the server was started with npm start. Otherwise add a host:
            you get one line to paste on it.
          </Empty>
        )}
        {rows.map(host => (
          <div key={host.id} className="table-line">
            <div className="grow">
              <p className="strong cut">{host.name}</p>
              <p className="dim cut">
                {host.resticVersion === null ? 'no usable restic found' : `restic ${host.resticVersion}`}
                {host.agentVersion !== null && `, agent ${host.agentVersion}`}
              </p>
            </div>
            <HostStateMark state={host.state} />
            <Button
              variant={rows.length === 1 ? 'filled' : 'default'}
              disabled={host.state === 'quarantined'}
              onClick={() => onReady(host.id)}
            >
              Back up this host
            </Button>
          </div>
        ))}
      </Panel>
      <AddHost opened={adding} onClose={() => setAdding(false)} />
    </>
  )
}
