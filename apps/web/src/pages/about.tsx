// Settings, About: what runs here, in which versions, and under which licence.
import type { AboutView } from '@restic-manager/contract/settings'
import { useQuery } from '@tanstack/react-query'
import { countOf, formatBytes } from '../format.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { Details, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { SettingsTabs } from '../parts/settings-tabs.tsx'
import { When } from '../parts/when.tsx'
import { trpc } from '../trpc.ts'

function Versions({ title, of, none }: { title: string; of: AboutView['agents']; none: string }) {
  return (
    <Panel title={title}>
      {of.length === 0 ? (
        <p className="dim">No host yet.</p>
      ) : (
        <Details
          items={of.map(({ version, hosts }) => ({ term: version ?? none, value: countOf(hosts, 'host') }))}
        />
      )}
    </Panel>
  )
}

/** The page of versions. */
export function AboutPage() {
  const about = useQuery(trpc.settings.about.queryOptions())
  const { data } = about
  return (
    <>
      <Crumbs way={[{ word: 'Settings', link: { to: '/settings' } }]} here="About" />
      <PageHead title="About" />
      <SettingsTabs />
      <QueryProblem what="What runs here" query={about} />
      {about.isPending && (
        <Panel flush>
          <SkeletonRows rows={4} />
        </Panel>
      )}
      {data !== undefined && (
        <>
          <Panel title="This server">
            <Details
              items={[
                { term: 'restic-manager', value: data.version },
                { term: 'Running since', value: <When at={data.startedAt} /> },
                { term: 'Node', value: data.node },
                { term: 'PostgreSQL', value: data.postgres },
                { term: 'Database', value: formatBytes(data.databaseBytes) },
                {
                  term: 'Licence',
                  value: <a href="https://www.apache.org/licenses/LICENSE-2.0">Apache License 2.0</a>,
                },
              ]}
            />
          </Panel>
          <Versions title="Agents" of={data.agents} none="not heard of yet" />
          <Versions title="restic on hosts" of={data.restics} none="no restic" />
        </>
      )}
    </>
  )
}
