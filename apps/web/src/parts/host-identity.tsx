// Who a host is: its key and how to replace it, and its way out of quarantine.
import type { HostView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useMay } from '../me.ts'
import { queryClient, trpc } from '../trpc.ts'
import { ConfirmName } from './confirm-name.tsx'
import { Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'
import { When } from './when.tsx'

/** The button that lets a host out of quarantine, once its name is typed. */
export function ReleaseHost({ host }: { host: HostView }): ReactNode {
  const [asking, setAsking] = useState(false)
  const release = useMutation(
    trpc.hosts.release.mutationOptions({
      onSuccess: async () => {
        setAsking(false)
        await queryClient.invalidateQueries(trpc.hosts.pathFilter())
      },
    }),
  )
  return (
    <>
      <Button onClick={() => setAsking(true)}>Release</Button>
      <ConfirmName
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Release ${host.name}?`}
        name={host.name}
        verb="Release host"
        busy={release.isPending}
        problem={<MutationProblem what="The host was not released." error={release.error} />}
        onConfirm={() => release.mutate({ hostId: host.id, confirmName: host.name })}
      >
        <p>
          The first machine that connects from then on is the host, and the other one stays out. Stop the
          agent on the copy first. What the host has not told yet, it tells anew.
        </p>
      </ConfirmName>
    </>
  )
}

/** The host's key. */
export function HostKey({ host }: { host: HostView }): ReactNode {
  const mayChange = useMay('admin')
  const rotate = useMutation(
    trpc.hosts.rotateKey.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries(trpc.hosts.get.queryFilter({ hostId: host.id })),
    }),
  )
  return (
    <Panel title="Key">
      <div className="stack stack-sm">
        <code className="mono strong">{host.fingerprint}</code>
        <p className="second">
          Made on the host <When at={host.keyChangedAt ?? host.enrolledAt} />; it never leaves it.{' '}
          {host.keyChangeWantedAt !== null &&
            `A new one is asked for, and taken ${host.online ? 'within seconds' : 'when it is back'}.`}
        </p>
        {mayChange && host.keyChangeWantedAt === null && (
          <div>
            <Button loading={rotate.isPending} onClick={() => rotate.mutate({ hostId: host.id })}>
              Replace the key
            </Button>
          </div>
        )}
        <MutationProblem what="The key was not replaced." error={rotate.error} />
      </div>
    </Panel>
  )
}
