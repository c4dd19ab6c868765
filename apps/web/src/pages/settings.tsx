// What holds for the whole installation: for now, how long logs of jobs are kept.
import { LogDays, type SettingsView } from '@restic-manager/contract/settings'
import { Button, NumberInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
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

function LogSettings({ settings: { logDays, logSizes } }: { settings: SettingsView }) {
  const mayChange = useMayForAll('admin')
  const now = useNow()
  const [typed, setTyped] = useState<number | string>(logDays)
  const wanted = LogDays.safeParse(typed).data
  const there = logsThere(logSizes, now)
  const goes = wanted === undefined || wanted >= logDays ? undefined : logsThatGo(logSizes, wanted, now)
  const save = useMutation(
    trpc.settings.update.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries(trpc.settings.get.pathFilter()),
    }),
  )
  const removes = goes !== undefined && goes.days > 0
  return (
    <Panel
      title="Logs of jobs"
      count={there.first === undefined ? 'none yet' : `${formatBytes(there.bytes)} since ${there.first}`}
      foot="Jobs themselves, their warnings and results are kept. Days are counted in UTC."
    >
      <form
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
      {settings.data !== undefined && <LogSettings key={settings.data.logDays} settings={settings.data} />}
    </>
  )
}
