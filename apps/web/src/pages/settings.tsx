// What holds for the whole installation: for now, how long logs, jobs and the audit log are kept.
import {
  AuditDays,
  JobDays,
  LogDays,
  type SettingsUpdateRequest,
  type SettingsView,
} from '@restic-manager/contract/settings'
import { Button, NumberInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useNow } from '../clock.ts'
import { countOf, formatBytes } from '../format.ts'
import { logsThatGo, logsThere } from '../log-retention.ts'
import { useMayForAll } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { Notice } from '../parts/notice.tsx'
import { PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { MutationProblem, QueryProblem } from '../parts/query-problem.tsx'
import { SettingsTabs } from '../parts/settings-tabs.tsx'
import { queryClient, trpc } from '../trpc.ts'

const useSave = () =>
  useMutation(
    trpc.settings.update.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries(trpc.settings.get.pathFilter()),
    }),
  )

function LogSettings({ settings: { logDays, logSizes } }: { settings: SettingsView }) {
  const mayChange = useMayForAll('admin')
  const now = useNow()
  const [typed, setTyped] = useState<number | string>(logDays)
  const wanted = LogDays.safeParse(typed).data
  const there = logsThere(logSizes, now)
  const goes = wanted === undefined || wanted >= logDays ? undefined : logsThatGo(logSizes, wanted, now)
  const save = useSave()
  const removes = goes !== undefined && goes.days > 0
  return (
    <Panel
      title="Logs of jobs"
      count={there.first === undefined ? 'none yet' : `${formatBytes(there.bytes)} since ${there.first}`}
      foot="Jobs themselves, their warnings and results are kept for longer. Days are counted in UTC."
    >
      <form
        aria-label="Logs of jobs"
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          if (wanted !== undefined) save.mutate({ logDays: wanted })
        }}
      >
        <NumberInput
          label="Keep logs for"
          suffix=" days"
          maw={200}
          min={1}
          max={3_650}
          allowDecimal={false}
          allowNegative={false}
          readOnly={!mayChange}
          error={wanted === undefined ? 'From 1 to 3650 days.' : undefined}
          value={typed}
          onChange={setTyped}
        />
        {removes && (
          <Notice
            tone="warn"
            title={`This removes the logs of ${countOf(goes.days, 'day')}, ${formatBytes(goes.bytes)}, for good.`}
          >
            It is done within ten minutes, oldest day first. A job that still runs keeps its log.
          </Notice>
        )}
        <MutationProblem what="The settings were not changed." error={save.error} />
        {mayChange ? (
          <div className="row">
            <Button
              type="submit"
              variant="filled"
              {...(removes ? { color: 'red' } : {})}
              loading={save.isPending}
              disabled={wanted === undefined || wanted === logDays}
            >
              {removes ? 'Save and remove' : 'Save'}
            </Button>
          </div>
        ) : (
          <p className="dim">Only an admin of all hosts can change this.</p>
        )}
      </form>
    </Panel>
  )
}

type Kept = {
  title: string
  label: string
  foot: string
  /** Days; null: for ever. */
  kept: number | null
  least: number
  wantedOf(typed: number | string): number | null | undefined
  request(wanted: number | null): SettingsUpdateRequest
  warning: ReactNode
}

/** How long records of a kind are kept. */
function RecordSettings({ title, label, foot, kept, least, wantedOf, request, warning }: Kept) {
  const mayChange = useMayForAll('admin')
  const [typed, setTyped] = useState<number | string>(kept ?? '')
  const wanted = wantedOf(typed)
  const save = useSave()
  const removes = wanted !== undefined && wanted !== null && wanted < (kept ?? Infinity)
  return (
    <Panel title={title} foot={foot}>
      <form
        aria-label={title}
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          if (wanted !== undefined) save.mutate(request(wanted))
        }}
      >
        <NumberInput
          label={label}
          suffix=" days"
          maw={200}
          min={least}
          max={3_650}
          clampBehavior="none"
          allowDecimal={false}
          allowNegative={false}
          readOnly={!mayChange}
          placeholder="for ever"
          error={wanted === undefined ? `From ${least} to 3650 days.` : undefined}
          value={typed}
          onChange={setTyped}
        />
        {removes && (
          <Notice tone="warn" title="This removes what is older, for good.">
            {warning}
          </Notice>
        )}
        <MutationProblem what="The settings were not changed." error={save.error} />
        {mayChange && (
          <div className="row">
            <Button
              type="submit"
              variant="filled"
              {...(removes ? { color: 'red' } : {})}
              loading={save.isPending}
              disabled={wanted === undefined || wanted === kept}
            >
              {removes ? 'Save and remove' : 'Save'}
            </Button>
          </div>
        )}
      </form>
    </Panel>
  )
}

const JobSettings = ({ jobDays }: SettingsView) => (
  <RecordSettings
    title="Jobs"
    label="Keep jobs for"
    foot="What was counted of them stays, and so does the newest of each kind and ending of every schedule and host."
    kept={jobDays}
    least={30}
    wantedOf={typed => JobDays.safeParse(typed).data}
    request={wanted => (wanted === null ? {} : { jobDays: wanted })}
    warning="Jobs go with their warnings, results and logs, a few at a time. Snapshots stay, and the jobs that made them."
  />
)

const AuditSettings = ({ auditDays }: SettingsView) => (
  <RecordSettings
    title="Audit log"
    label="Keep the audit log for"
    foot="Empty: for ever. A row says which others were removed, so that the check of the log still finds what somebody else removed."
    kept={auditDays}
    least={365}
    wantedOf={typed => AuditDays.safeParse(typed === '' ? null : typed).data}
    request={wanted => ({ auditDays: wanted })}
    warning="Export first what has to be kept elsewhere. The last year is never removed."
  />
)

/** The page of settings. */
export function SettingsPage() {
  const settings = useQuery(trpc.settings.get.queryOptions())
  return (
    <>
      <Crumbs way={[]} here="Settings" />
      <PageHead title="Settings" />
      <SettingsTabs />
      <QueryProblem what="The settings" query={settings} />
      {settings.isPending && (
        <Panel flush>
          <SkeletonRows rows={3} height={52} />
        </Panel>
      )}
      {/* Made anew when somebody else has saved: what is typed here would not be about that. */}
      {settings.data !== undefined && (
        <>
          <LogSettings key={`logs ${settings.data.logDays}`} settings={settings.data} />
          <JobSettings key={`jobs ${settings.data.jobDays}`} {...settings.data} />
          <AuditSettings key={`audit ${settings.data.auditDays}`} {...settings.data} />
        </>
      )}
    </>
  )
}
