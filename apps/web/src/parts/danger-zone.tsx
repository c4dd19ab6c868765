// The part of a page that can do harm: what it does, and the name that has to be typed first.
import { Button } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { ConfirmName } from './confirm-name.tsx'
import { Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'

/** `noun` is what is removed: a host, a repository. `children` says what will happen and what stays. */
export function DangerZone({
  noun,
  name,
  below,
  busy,
  error,
  onConfirm,
  children,
}: {
  noun: string
  name: string
  below: string
  busy: boolean
  error: unknown
  onConfirm: () => void
  children: ReactNode
}) {
  const [asking, setAsking] = useState(false)
  return (
    <Panel title={`Remove this ${noun}`}>
      <div className="stack stack-sm">
        <p className="second">{below}</p>
        <div>
          <Button className="tone-bad" onClick={() => setAsking(true)}>
            Remove {noun}
          </Button>
        </div>
      </div>
      <ConfirmName
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Remove ${name}?`}
        name={name}
        verb={`Remove ${noun}`}
        busy={busy}
        problem={<MutationProblem what={`The ${noun} was not removed.`} error={error} />}
        onConfirm={onConfirm}
      >
        {children}
      </ConfirmName>
    </Panel>
  )
}
