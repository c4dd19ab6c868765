// The API keys of one's account: for scripts, which cannot sign in.
import type { KeyView } from '@restic-manager/contract/operators'
import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useNow } from '../clock.ts'
import { scopeWords } from '../key-scopes.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Confirm } from './confirm.tsx'
import { MakeKey } from './make-key.tsx'
import { OnceShown } from './once-shown.tsx'
import { Empty, Panel, SkeletonRows } from './panel.tsx'
import { MutationProblem, QueryProblem } from './query-problem.tsx'
import { Ago, Ahead } from './when.tsx'
import './account.css'

const readAgain = () => queryClient.invalidateQueries(trpc.keys.list.pathFilter())

function Row({ apiKey, onRevoke }: { apiKey: KeyView; onRevoke: () => void }) {
  const now = useNow(60_000)
  const { name, prefix, scopes, expiresAt, lastUsedAt } = apiKey
  const isOver = expiresAt !== null && expiresAt.getTime() <= now
  return (
    <li className="account-row">
      <div className="account-row-main">
        <p className="row">
          <span className="strong cut">{name}</span>
          <span className="mono dim">{prefix}…</span>
          {isOver && <span className="chip">over</span>}
        </p>
        <p className="dim break">
          {scopeWords(scopes)} · used <Ago at={lastUsedAt} /> ·{' '}
          {expiresAt === null ? 'until it is revoked' : isOver ? 'ended ' : 'ends '}
          {expiresAt !== null && (isOver ? <Ago at={expiresAt} /> : <Ahead at={expiresAt} />)}
        </p>
      </div>
      <Button onClick={onRevoke} aria-label={`Revoke ${name}`}>
        Revoke
      </Button>
    </li>
  )
}

/** The panel. A key is seen once, when it is made. */
export function ApiKeys() {
  const keys = useQuery(trpc.keys.list.queryOptions())
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<string>()
  const [revoking, setRevoking] = useState<KeyView>()
  const revoke = useMutation(
    trpc.keys.revoke.mutationOptions({
      onSuccess: async () => {
        setRevoking(undefined)
        await readAgain()
      },
    }),
  )
  return (
    <Panel
      title="API keys"
      count={keys.data === undefined ? undefined : keys.data.length === 0 ? 'none' : keys.data.length}
      flush
      actions={<Button onClick={() => setMaking(true)}>New key</Button>}
      foot="A key never does what asks for a fresh proof, such as removing snapshots or changing repositories."
    >
      {keys.isPending && <SkeletonRows rows={2} height={52} />}
      <QueryProblem what="Your keys" query={keys} />
      {keys.data?.length === 0 && (
        <Empty title="For scripts and other programs">
          A key calls what you may call, or less. It is sent as{' '}
          <span className="mono">Authorization: Bearer</span>.
        </Empty>
      )}
      <ul aria-label="API keys">
        {keys.data?.map(apiKey => (
          <Row key={apiKey.id} apiKey={apiKey} onRevoke={() => setRevoking(apiKey)} />
        ))}
      </ul>
      {making && (
        <MakeKey
          onClose={() => setMaking(false)}
          onMade={key => {
            setMaking(false)
            setMade(key)
            void readAgain()
          }}
        />
      )}
      <OnceShown title="The new key" text={made} onClose={() => setMade(undefined)}>
        Copy it now: it is not shown again, and the server keeps only a hash of it.
      </OnceShown>
      <Confirm
        opened={revoking !== undefined}
        onClose={() => {
          setRevoking(undefined)
          revoke.reset()
        }}
        title={`Revoke ${revoking?.name ?? ''}?`}
        verb="Revoke"
        busy={revoke.isPending}
        problem={<MutationProblem what="The key still works." error={revoke.error} />}
        onConfirm={() => revoking && revoke.mutate({ keyId: revoking.id })}
      >
        What uses it stops at once, and it cannot be brought back.
      </Confirm>
    </Panel>
  )
}
