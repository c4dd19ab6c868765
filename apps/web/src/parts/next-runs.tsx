// The next five runs of a timetable in its own zone, with the days on which clocks change marked.
import { complaintAboutTimetable } from '@restic-manager/contract/cron'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { jitterMs } from '@restic-manager/contract/slots'
import { useDebouncedValue } from '@mantine/hooks'
import { IconClockShare } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { clockNote, offsetMinutes } from '../clock-changes.ts'
import { useNow } from '../clock.ts'
import { formatClock, formatDay, formatDuration } from '../format.ts'
import { secondsInWords } from '../schedule-words.ts'
import { trpc } from '../trpc.ts'
import { Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import './next-runs.css'

const RUNS = 5

type Props = { draft: ScheduleDraft; hostId: string; scheduleId: string | undefined }

function Foot({ draft, hostId, scheduleId }: Props) {
  if (draft.jitterSeconds === 0) return 'The host starts on the minute.'
  if (scheduleId === undefined)
    return `The host starts up to ${secondsInWords(draft.jitterSeconds)} after each slot, always by the same amount.`
  const spread = jitterMs(hostId, scheduleId, draft.jitterSeconds)
  return `This host starts ${formatDuration(spread)} after each slot, every time.`
}

/** Nothing for a manual schedule. A timetable with a complaint shows none: the field says why. */
export function NextRuns(props: Props) {
  const { draft } = props
  const now = useNow(60_000)
  const [timetable] = useDebouncedValue({ cron: (draft.cron ?? '').trim(), timeZone: draft.timeZone }, 250)
  const isFine = complaintAboutTimetable(timetable) === undefined
  const preview = useQuery(
    trpc.schedules.preview.queryOptions(
      { ...timetable, count: RUNS },
      { enabled: !draft.manual && isFine, placeholderData: keepPreviousData, staleTime: 60_000 },
    ),
  )
  if (draft.manual) return null
  const runs = isFine ? (preview.data?.runs ?? []) : []
  const zone = timetable.timeZone
  return (
    <Panel title="Next five runs" count={zone} flush foot={<Foot {...props} />}>
      <QueryProblem what="The next runs" query={preview} />
      {isFine && preview.isPending && <SkeletonRows rows={RUNS} />}
      {!isFine && <p className="next-runs-none dim">The timetable cannot be counted yet.</p>}
      {runs.length > 0 && (
        <div className="table next-runs" role="table" aria-label="Next five runs">
          <div className="table-head" role="row">
            {['Slot', 'Local', 'UTC', 'Note'].map(word => (
              <div key={word} role="columnheader">
                {word}
              </div>
            ))}
          </div>
          {runs.map((run, index) => {
            const note = clockNote(run, runs[index - 1], zone)
            const known = offsetMinutes(run.at, zone) !== undefined
            return (
              <div key={run.at.getTime()} role="row" className="table-row">
                <div role="cell" className="strong num">
                  {known ? formatDay(run.at, now, zone) : run.local}
                </div>
                <div role="cell" className="num">
                  {known ? formatClock(run.at, zone) : ''}
                </div>
                <div role="cell" className="num dim">
                  {formatClock(run.at, 'UTC')}
                </div>
                <div role="cell" className="row dim">
                  {note?.dst === true && (
                    <span className="chip chip-warn">
                      <IconClockShare size={14} stroke={1.75} aria-hidden />
                      DST
                    </span>
                  )}
                  {note !== undefined && <span className="next-runs-note">{note.words}</span>}
                </div>
              </div>
            )
          })}
        </div>
      )}
    </Panel>
  )
}
