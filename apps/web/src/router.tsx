// The routes: which page stands at which address, what its address may hold, and what is asked for on the way to it.
import type { HostState } from '@restic-manager/contract/views'
import type { JobKind, JobStatus } from '@restic-manager/contract/job'
import type { ScheduleKind } from '@restic-manager/contract/schedule'
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { jobSpans, type JobSpan } from './job-spans.ts'
import { listPagesOptions } from './list-pages.ts'
import type { AttentionView } from './pages/attention.tsx'
import { NotFound, PageProblem } from './parts/page-problem.tsx'
import { Shell } from './parts/shell.tsx'
import { dayOf, keyOf, pathOf, textOf, textsOf } from './query-string.ts'
import { newestSnapshots, snapshotPages } from './snapshot-reads.ts'
import { kindWords, stateWords, statusWords } from './words.ts'
import { queryClient, saysSignedOut, trpc } from './trpc.ts'

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { back?: string | undefined } => ({
    back: pathOf(search['back']),
  }),
  component: lazyRouteComponent(() => import('./pages/sign-in.tsx'), 'SignInPage'),
})

const setUp = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./pages/set-up.tsx'), 'SetUpPage'),
})

const invitation = createRoute({
  getParentRoute: () => root,
  path: '/invitation',
  component: lazyRouteComponent(() => import('./pages/invitation.tsx'), 'InvitationPage'),
})

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  // Beside the code of the page and not before it: both are on their way at once.
  loader: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(trpc.me.get.queryOptions())
    } catch (error) {
      if (!saysSignedOut(error)) throw error
      throw redirect({ to: '/sign-in', search: { back: location.href } })
    }
  },
})

const overview = createRoute({
  getParentRoute: () => shell,
  path: '/',
  // Asked for while the code of the page is still on its way.
  loader: () => void queryClient.prefetchQuery(trpc.overview.get.queryOptions()),
  component: lazyRouteComponent(() => import('./pages/overview.tsx'), 'OverviewPage'),
})

const hosts = createRoute({
  getParentRoute: () => shell,
  path: '/hosts',
  validateSearch: (
    search: Record<string, unknown>,
  ): {
    search?: string | undefined
    state?: HostState | 'late' | undefined
    tags?: string[] | undefined
    sort?: 'lastGoodBackup' | undefined
  } => ({
    search: textOf(search['search']),
    tags: textsOf(search['tags']),
    state: keyOf({ late: 1, ...stateWords }, search['state']),
    sort: search['sort'] === 'lastGoodBackup' ? 'lastGoodBackup' : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/hosts.tsx'), 'HostsPage'),
})

const host = createRoute({
  getParentRoute: () => shell,
  path: '/hosts/$hostId',
  component: lazyRouteComponent(() => import('./pages/host.tsx'), 'HostPage'),
})

const attention = createRoute({
  getParentRoute: () => shell,
  path: '/attention',
  validateSearch: (search: Record<string, unknown>): { view?: AttentionView | undefined } => ({
    view: keyOf(
      { red: 1, amber: 1, acknowledged: 1, all: 1 } satisfies Record<AttentionView, 1>,
      search['view'],
    ),
  }),
  component: lazyRouteComponent(() => import('./pages/attention.tsx'), 'AttentionPage'),
})

const addSchedule = createRoute({
  getParentRoute: () => shell,
  path: '/hosts/$hostId/schedules/add',
  validateSearch: (search: Record<string, unknown>): { kind?: ScheduleKind | undefined } => ({
    kind: keyOf(
      { backup: 1, forget: 1, prune: 1, check: 1 } satisfies Record<ScheduleKind, 1>,
      search['kind'],
    ),
  }),
  component: lazyRouteComponent(() => import('./pages/schedule.tsx'), 'AddSchedulePage'),
})

const schedule = createRoute({
  getParentRoute: () => shell,
  path: '/schedules/$scheduleId',
  component: lazyRouteComponent(() => import('./pages/schedule.tsx'), 'SchedulePage'),
})

const jobs = createRoute({
  getParentRoute: () => shell,
  path: '/jobs',
  validateSearch: (
    search: Record<string, unknown>,
  ): {
    kind?: JobKind | undefined
    status?: JobStatus | undefined
    hostId?: string | undefined
    repositoryId?: string | undefined
    scheduleId?: string | undefined
    since?: JobSpan | undefined
    from?: string | undefined
    until?: string | undefined
  } => ({
    since: keyOf(jobSpans, search['since']),
    from: dayOf(search['from']),
    until: dayOf(search['until']),
    kind: keyOf(kindWords, search['kind']),
    status: keyOf(statusWords, search['status']),
    hostId: textOf(search['hostId']),
    repositoryId: textOf(search['repositoryId']),
    scheduleId: textOf(search['scheduleId']),
  }),
  component: lazyRouteComponent(() => import('./pages/jobs.tsx'), 'JobsPage'),
})

const job = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/$jobId',
  component: lazyRouteComponent(() => import('./pages/job.tsx'), 'JobPage'),
})

const snapshots = createRoute({
  getParentRoute: () => shell,
  path: '/snapshots',
  validateSearch: (
    search: Record<string, unknown>,
  ): {
    search?: string | undefined
    hostId?: string | undefined
    repositoryId?: string | undefined
    tag?: string | undefined
  } => ({
    search: textOf(search['search']),
    hostId: textOf(search['hostId']),
    repositoryId: textOf(search['repositoryId']),
    tag: textOf(search['tag']),
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ deps }) => {
    const { queryKey, read } = snapshotPages(deps)
    void queryClient.prefetchInfiniteQuery(listPagesOptions(queryKey, read, () => true))
  },
  component: lazyRouteComponent(() => import('./pages/snapshots.tsx'), 'SnapshotsPage'),
})

const repositories = createRoute({
  getParentRoute: () => shell,
  path: '/repositories',
  component: lazyRouteComponent(() => import('./pages/repositories.tsx'), 'RepositoriesPage'),
})

const addRepository = createRoute({
  getParentRoute: () => shell,
  path: '/repositories/add',
  validateSearch: (search: Record<string, unknown>): { hostId?: string | undefined } => ({
    hostId: textOf(search['hostId']),
  }),
  component: lazyRouteComponent(() => import('./pages/add-repository.tsx'), 'AddRepositoryPage'),
})

const repository = createRoute({
  getParentRoute: () => shell,
  path: '/repositories/$repositoryId',
  loader: ({ params: { repositoryId } }) => {
    void queryClient.prefetchQuery(trpc.repositories.get.queryOptions({ repositoryId }))
    void queryClient.prefetchQuery(newestSnapshots({ repositoryId }))
  },
  component: lazyRouteComponent(() => import('./pages/repository.tsx'), 'RepositoryPage'),
})

const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings.tsx'), 'SettingsPage'),
})

const audit = createRoute({
  getParentRoute: () => shell,
  path: '/settings/audit',
  validateSearch: (
    search: Record<string, unknown>,
  ): {
    actor?: string | undefined
    action?: string | undefined
    targetId?: string | undefined
    hostId?: string | undefined
    from?: string | undefined
    until?: string | undefined
  } => ({
    actor: textOf(search['actor']),
    action: textOf(search['action']),
    targetId: textOf(search['targetId']),
    hostId: textOf(search['hostId']),
    from: dayOf(search['from']),
    until: dayOf(search['until']),
  }),
  component: lazyRouteComponent(() => import('./pages/audit.tsx'), 'AuditPage'),
})

const users = createRoute({
  getParentRoute: () => shell,
  path: '/settings/users',
  component: lazyRouteComponent(() => import('./pages/users.tsx'), 'UsersPage'),
})

const signInSettings = createRoute({
  getParentRoute: () => shell,
  path: '/settings/sign-in',
  component: lazyRouteComponent(() => import('./pages/settings-sign-in.tsx'), 'SignInSettingsPage'),
})

const about = createRoute({
  getParentRoute: () => shell,
  path: '/settings/about',
  component: lazyRouteComponent(() => import('./pages/about.tsx'), 'AboutPage'),
})

const account = createRoute({
  getParentRoute: () => shell,
  path: '/account',
  component: lazyRouteComponent(() => import('./pages/account.tsx'), 'AccountPage'),
})

/** Finds the page of an address. */
export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    setUp,
    invitation,
    shell.addChildren([
      ...[overview, attention, hosts, host, addSchedule, schedule],
      ...[jobs, job, snapshots, repositories, addRepository, repository],
      ...[settings, users, signInSettings, audit, about, account],
    ]),
  ]),
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultErrorComponent: PageProblem,
  defaultNotFoundComponent: NotFound,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
