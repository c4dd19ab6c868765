// The bar over a list of hosts of which some are chosen: how many, and what can be done with all of them.
import type { BulkKind } from '@restic-manager/contract/bulk'
import type { HostState } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import {
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerTrackNext,
  IconTag,
  IconTagOff,
  IconX,
} from '@tabler/icons-react'
import { useState } from 'react'
import { countOf, formatCount } from '../format.ts'
import { useMay } from '../me.ts'
import type { Selection } from '../selection.ts'
import { lazyDialog } from './lazy-dialog.tsx'
import './host-bulk.css'

const BulkDialog = lazyDialog(async () => (await import('./host-bulk-dialog.tsx')).BulkDialog)

type Filter = {
  search?: string | undefined
  state?: HostState | 'late' | undefined
  tags?: string[] | undefined
}

const acts = [
  { kind: 'run', word: 'Run now', icon: IconPlayerPlay, needs: 'operator' },
  { kind: 'pause', word: 'Pause', icon: IconPlayerPause, needs: 'operator' },
  { kind: 'resume', word: 'Resume', icon: IconPlayerTrackNext, needs: 'operator' },
  { kind: 'addTag', word: 'Add tag', icon: IconTag, needs: 'admin' },
  { kind: 'removeTag', word: 'Remove tag', icon: IconTagOff, needs: 'admin' },
] as const satisfies { kind: BulkKind; [more: string]: unknown }[]

/** `total`: hosts that match `filter`; `shown`: rows that were read so far. */
export function HostBulkBar({
  selection,
  filter,
  total,
  shown,
}: {
  selection: Selection
  filter: Filter
  total: number
  shown: number
}) {
  const mayTag = useMay('admin')
  const [kind, setKind] = useState<BulkKind>()
  const { count, isAll, ids } = selection
  if (count === 0 && kind === undefined) return null
  return (
    <div className="bulk-bar" role="toolbar" aria-label="With the chosen hosts">
      <span className="strong num" role="status">
        {countOf(count, 'host')} chosen
      </span>
      {!isAll && total > count && count >= Math.min(shown, total) && (
        <Button variant="subtle" onClick={selection.chooseAll}>
          Choose all {formatCount(total)} that match
        </Button>
      )}
      {acts
        .filter(({ needs }) => needs === 'operator' || mayTag)
        .map(({ kind: act, word, icon: Icon }) => (
          <Button
            key={act}
            leftSection={<Icon size={16} stroke={1.75} aria-hidden />}
            onClick={() => setKind(act)}
          >
            {word}
          </Button>
        ))}
      <Button
        className="bulk-clear"
        variant="subtle"
        leftSection={<IconX size={16} stroke={1.75} aria-hidden />}
        onClick={selection.clear}
      >
        Clear
      </Button>
      {kind !== undefined && (
        <BulkDialog
          opened
          kind={kind}
          which={isAll ? { filter, total } : { hostIds: [...ids] }}
          onClose={() => setKind(undefined)}
          onDone={selection.clear}
        />
      )}
    </div>
  )
}
