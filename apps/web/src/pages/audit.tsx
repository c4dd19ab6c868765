// The audit log: what was done, by whom and from where, newest first. The address holds the filters.
import type { AuditEventView } from '@restic-manager/contract/audit'
import { Button, Menu, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconDownload, IconX } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { instantsOf } from '../day-range.ts'
import { useListPages } from '../list-pages.ts'
import { AuditTable } from '../parts/audit-table.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { DayRange } from '../parts/day-range.tsx'
import { FilterChips } from '../parts/filter-chips.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { MutationProblem, QueryProblem } from '../parts/query-problem.tsx'
import { SettingsTabs } from '../parts/settings-tabs.tsx'
import { saveText } from '../save-text.ts'
import { client, trpc } from '../trpc.ts'

const route = getRouteApi('/shell/settings/audit')

const actionChips: { value: string | undefined; word: string }[] = [
  { value: undefined, word: 'Everything' },
  { value: 'hosts.', word: 'Hosts' },
  { value: 'enrolments.', word: 'Enrolments' },
  { value: 'repositories.', word: 'Repositories' },
  { value: 'schedules.', word: 'Schedules' },
  { value: 'jobs.', word: 'Jobs' },
  { value: 'users.', word: 'Users' },
  { value: 'account.', word: 'Accounts' },
  { value: 'settings.', word: 'Settings' },
  { value: 'signed in', word: 'Signed in' },
  { value: 'sign-in failed', word: 'Failed sign-ins' },
]

type Filter = ReturnType<typeof route.useSearch>

const requestOf = ({ actor, action, targetId, hostId, from, until }: Filter) => ({
  ...{ actor, action, targetId, hostId },
  ...instantsOf({ from, until }),
})

async function saveAll(format: 'csv' | 'ndjson', filter: Filter) {
  const parts: string[] = []
  let cursor: string | undefined
  do {
    const part = await client.audit.export.query({ ...requestOf(filter), format, cursor })
    parts.push(part.text)
    cursor = part.nextCursor ?? undefined
  } while (cursor !== undefined)
  saveText(`audit-log-${new Date().toISOString().slice(0, 10)}.${format}`, parts)
}

function Export({ filter }: { filter: Filter }) {
  const save = useMutation({ mutationFn: (format: 'csv' | 'ndjson') => saveAll(format, filter) })
  return (
    <>
      <Menu position="bottom-end" shadow="md" radius="lg">
        <Menu.Target>
          <Button loading={save.isPending} leftSection={<IconDownload size={16} stroke={1.75} aria-hidden />}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => save.mutate('csv')}>As a table (CSV)</Menu.Item>
          <Menu.Item onClick={() => save.mutate('ndjson')}>As lines of JSON</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <MutationProblem what="The file was not made." error={save.error} />
    </>
  )
}

/** The list of acts. */
export function AuditPage() {
  const filter = route.useSearch()
  const navigate = useNavigate({ from: '/settings/audit' })
  const set = (change: Partial<Filter>) =>
    void navigate({ search: old => ({ ...old, ...change }), replace: true })
  const [typed, setTyped] = useState(filter.actor ?? '')
  const search = useDebouncedCallback(
    (actor: string) => set({ actor: actor === '' ? undefined : actor }),
    250,
  )
  const input = { ...requestOf(filter), limit: 100 }
  const { query, rows, onView } = useListPages(trpc.audit.list.infiniteQueryKey(input), (cursor, signal) =>
    client.audit.list.query({ ...input, cursor }, { signal }),
  )

  const only = [
    filter.hostId !== undefined && 'one host',
    filter.targetId !== undefined && (nameOf(rows, filter.targetId) ?? 'one thing'),
  ].filter(word => word !== false)
  const filtered = Object.values(filter).some(value => value !== undefined)
  return (
    <>
      <Crumbs way={[{ word: 'Settings', link: { to: '/settings' } }]} here="Audit log" />
      <PageHead title="Audit log" actions={<Export filter={filter} />} />
      <SettingsTabs />
      <div className="filters">
        <FilterChips
          label="What"
          value={filter.action}
          onChange={action => set({ action })}
          options={actionChips}
        />
        <div className="row row-wrap">
          <TextInput
            aria-label="Who"
            placeholder="Who, such as anna@"
            w={200}
            value={typed}
            onChange={event => {
              setTyped(event.currentTarget.value)
              search(event.currentTarget.value)
            }}
          />
          <DayRange from={filter.from} until={filter.until} onChange={set} />
          {only.length > 0 && (
            <Button
              rightSection={<IconX size={14} stroke={1.75} aria-hidden />}
              onClick={() => set({ hostId: undefined, targetId: undefined })}
              aria-label="Show what is about anything"
            >
              only {only.join(', ')}
            </Button>
          )}
        </div>
      </div>
      <QueryProblem what="The audit log" query={query} />
      <Panel
        flush
        foot={
          rows.length > 0 &&
          'Rows are only ever added, and each holds the hash of the one before it: the admin command verify-audit finds one that is changed or missing.'
        }
      >
        {query.isPending && <SkeletonRows rows={10} />}
        {rows.length > 0 && (
          <AuditTable
            events={rows}
            hasMore={query.hasNextPage}
            onView={onView}
            onTarget={targetId => set({ targetId })}
          />
        )}
        {query.isSuccess && rows.length === 0 && (
          <Empty
            title={filtered ? 'Nothing matches.' : 'Nothing was done yet.'}
            action={
              filtered && (
                <Button
                  onClick={() => {
                    setTyped('')
                    void navigate({ search: {}, replace: true })
                  }}
                >
                  Show everything
                </Button>
              )
            }
          >
            {filtered
              ? 'Other days, people or acts may.'
              : 'Whatever somebody changes here, and whoever signs in or is turned away, is written down.'}
          </Empty>
        )}
      </Panel>
    </>
  )
}

const nameOf = (rows: AuditEventView[], targetId: string) =>
  rows.find(row => row.targetId === targetId)?.targetName
