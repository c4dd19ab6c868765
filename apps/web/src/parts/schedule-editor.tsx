// The schedule editor: the form at the left, what it comes to at the right, and the sentence above both.
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import type { HostView, ScheduleView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { countOf } from '../format.ts'
import { usePlannedPlaces } from '../host-policy.ts'
import { useRequestId } from '../request-id.ts'
import {
  changesBetween,
  type Complaints,
  complaintsAboutDraft,
  rebaseDraft,
  tidySchedule,
} from '../schedule-draft.ts'
import { scheduleInWords } from '../schedule-words.ts'
import { client, complaintsIn, queryClient, refusalIn, sentenceFor, trpc } from '../trpc.ts'
import { DurationTrend } from './duration-trend.tsx'
import { LeaveGuard } from './leave-guard.tsx'
import { NextRuns } from './next-runs.tsx'
import { Notice } from './notice.tsx'
import { PageHead, Panel } from './panel.tsx'
import { Phrase } from './phrase.tsx'
import { MutationProblem } from './query-problem.tsx'
import { RetentionPreview } from './retention-preview.tsx'
import { ScheduleKeep } from './schedule-keep.tsx'
import { ScheduleMore } from './schedule-more.tsx'
import { ScheduleSync } from './schedule-sync.tsx'
import { ScheduleWhat } from './schedule-what.tsx'
import { ScheduleWhen } from './schedule-when.tsx'
import { StaleSchedule } from './stale-schedule.tsx'
import './repository-form.css'
import './schedule-editor.css'

type Props = {
  host: HostView
  /** All schedules of the host. */
  schedules: ScheduleView[]
  /** What is edited, as it is saved now; absent: a new schedule. */
  saved?: ScheduleView | undefined
  initial: ScheduleDraft
}

/** What to show of the complaints: those of fields somebody touched, all after the first try, the server's until the field changes. */
function shownComplaints(
  complaints: Complaints,
  { tried, touched, refused }: { tried: boolean; touched: ReadonlySet<string>; refused: Complaints },
): Complaints {
  const own = Object.entries(complaints).filter(
    ([field]) =>
      tried ||
      touched.has(field.split('.')[0] ?? field) ||
      (field === 'jitterSeconds' && touched.has('cron')),
  )
  const theirs = Object.entries(refused).filter(([field]) => !touched.has(field))
  return { ...Object.fromEntries(theirs), ...Object.fromEntries(own) }
}

function Head({
  props: { host, saved },
  draft,
  changes,
  busy,
  onDiscard,
}: {
  props: Props
  draft: ScheduleDraft
  changes: string[]
  busy: boolean
  onDiscard: () => void
}) {
  return (
    <PageHead
      title={draft.name.trim() === '' ? 'Schedule without a name' : draft.name}
      beside={saved !== undefined && <ScheduleSync schedule={saved} />}
      below={`${draft.kind} schedule of ${host.name}${saved === undefined ? ', not saved yet' : `, version ${saved.version}`}`}
      actions={
        <>
          {saved !== undefined && changes.length > 0 && (
            <span className="chip chip-warn" title={changes.join(', ')}>
              {countOf(changes.length, 'unsaved change')}
            </span>
          )}
          <Button onClick={onDiscard} disabled={saved !== undefined && changes.length === 0}>
            {saved === undefined ? 'Cancel' : 'Discard'}
          </Button>
          <Button
            type="submit"
            variant="filled"
            loading={busy}
            disabled={saved !== undefined && changes.length === 0}
          >
            {saved === undefined ? 'Save schedule' : 'Save and send'}
          </Button>
        </>
      }
    />
  )
}

/** The form of a schedule. A save that succeeded leads to its host. */
export function ScheduleEditor(props: Props) {
  const { host, schedules, saved, initial } = props
  const navigate = useNavigate()
  const { idFor, done } = useRequestId()
  // The version that was opened: a live change meanwhile must not make an edit look newer than it is.
  const [base, setBase] = useState(saved)
  const [draft, setDraft] = useState(initial)
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set())
  const [tried, setTried] = useState(false)
  const [stale, setStale] = useState<ScheduleView>()
  // Fields that keep half-typed text begin anew with the draft.
  const [round, setRound] = useState(0)
  const letPass = useRef(false)
  const before = base?.schedule ?? initial
  const changes = changesBetween(before, draft)

  const save = useMutation({
    mutationFn: async (schedule: ScheduleDraft) => {
      if (base === undefined) {
        const wish = { hostId: host.id, schedule }
        await client.schedules.create.mutate({ requestId: idFor(wish), ...wish })
      } else await client.schedules.update.mutate({ scheduleId: base.id, version: base.version, schedule })
    },
    onSuccess: async () => {
      done()
      await queryClient.invalidateQueries(trpc.schedules.pathFilter())
      letPass.current = true
      await navigate({ to: '/hosts/$hostId', params: { hostId: host.id } })
    },
    onError: async error => {
      setTouched(new Set())
      if (base === undefined || refusalIn(error) !== 'version_stale') return
      setStale(await client.schedules.get.query({ scheduleId: base.id }))
    },
  })
  const refused = Object.fromEntries(complaintsIn(save.error).map(({ field, message }) => [field, message]))
  const places = usePlannedPlaces(draft.kind, host)
  const complaints = complaintsAboutDraft(draft, {
    policy: host.policy ?? undefined,
    places: draft.repositoryIds.flatMap(id => places.get(id) ?? []),
    before: base?.schedule,
  })
  const change = (next: Partial<ScheduleDraft>) => {
    setTouched(old => new Set([...old, ...Object.keys(next)]))
    setDraft(old => ({ ...old, ...next }))
  }
  const begin = (from: ScheduleView, next: ScheduleDraft) => {
    setBase(from)
    setDraft(next)
    setRound(old => old + 1)
    setStale(undefined)
    setTouched(new Set())
    save.reset()
  }
  const section = { draft, change, complaints: shownComplaints(complaints, { tried, touched, refused }) }

  const backups = schedules.filter(({ schedule }) => schedule.kind === 'backup')
  const chosen = draft.repositoryIds.flatMap(id => host.repositories.find(known => known.id === id) ?? [])
  const thinned = backups.filter(({ id }) => draft.forgets?.includes(id))
  const newer = saved !== undefined && base !== undefined && saved.version > base.version ? saved : undefined
  const isStale = refusalIn(save.error) === 'version_stale'
  return (
    <form
      className="stack"
      noValidate
      onSubmit={event => {
        event.preventDefault()
        setTried(true)
        const form = event.currentTarget
        if (Object.keys(complaints).length === 0) save.mutate(tidySchedule(draft))
        else requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid=true]')?.focus())
      }}
    >
      <Head
        props={props}
        draft={draft}
        changes={changes}
        busy={save.isPending}
        onDiscard={() => {
          if (base !== undefined) return begin(saved ?? base, (saved ?? base).schedule)
          void navigate({ to: '/hosts/$hostId', params: { hostId: host.id } })
        }}
      />
      {saved?.sync === 'rejected' && (
        <Notice tone="bad" title="The host turned this schedule down, so it does not run.">
          {saved.rejected?.reason}
        </Notice>
      )}
      {newer !== undefined && !save.isPending && stale === undefined && (
        <Notice
          tone="warn"
          title={`Somebody else saved version ${newer.version} meanwhile.`}
          action={<Button onClick={() => setStale(newer)}>Look</Button>}
        >
          You edit version {base?.version}. It cannot be saved over theirs unseen.
        </Notice>
      )}
      <p className="schedule-words" aria-live="polite">
        <Phrase
          of={scheduleInWords(draft, {
            host,
            repositories: chosen,
            forgets: thinned.map(({ schedule }) => schedule.name),
          })}
        />
      </p>
      {!isStale && <MutationProblem what="The schedule was not saved." error={save.error} />}
      <div className="schedule-columns">
        <Panel key={round} flush>
          <ScheduleWhat
            {...section}
            host={host}
            repositories={host.repositories}
            places={places}
            backups={backups}
          />
          <ScheduleWhen {...section} hostId={host.id} hostZone={host.timeZone} />
          {draft.kind === 'forget' && (
            <ScheduleKeep {...section} appendOnly={chosen.some(({ mayDelete }) => !mayDelete)} />
          )}
          <ScheduleMore {...section} policy={host.policy} />
        </Panel>
        <div className="stack">
          <NextRuns draft={draft} hostId={host.id} scheduleId={base?.id} />
          {base !== undefined && <DurationTrend scheduleId={base.id} />}
          {draft.kind === 'forget' && (
            <RetentionPreview
              hostId={host.id}
              repositories={chosen}
              schedules={thinned.map(({ id, schedule }) => ({ id, name: schedule.name }))}
              retention={draft.retention ?? {}}
            />
          )}
        </div>
      </div>
      {stale !== undefined && base !== undefined && (
        <StaleSchedule
          edited={base}
          newest={stale}
          draft={draft}
          sentence={
            isStale
              ? sentenceFor(save.error)
              : `You edited version ${base.version} of this schedule; it is at version ${stale.version} by now.`
          }
          onTake={() => begin(stale, stale.schedule)}
          onKeep={() => begin(stale, rebaseDraft(base.schedule, stale.schedule, draft))}
          onClose={() => setStale(undefined)}
        />
      )}
      <LeaveGuard isDirty={() => changes.length > 0 && !letPass.current} />
    </form>
  )
}
