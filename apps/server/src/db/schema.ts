// Tables of hosts, repositories, schedules and jobs; those of other nouns are in files beside this. Times are timestamptz with milliseconds, sizes are bytes, ids are UUIDs. A host's rows hang on it by composite keys.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { SetAside } from '@restic-manager/contract/agent'
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind, JobStatus, Warning } from '@restic-manager/contract/job'
import type { BackendKind, RepositoryLock } from '@restic-manager/contract/repository'
import type { ScheduleDraft, ScheduleKind } from '@restic-manager/contract/schedule'
import { at, bytes } from './columns.ts'
import { enrolments } from './schema-enrolments.ts'

/** Managed machines. `session*` fence writes: only the newest proven session of a host may change anything. */
export const hosts = pgTable(
  'hosts',
  {
    id: uuid().primaryKey(),
    name: text().notNull(),
    hostname: text().notNull(),
    publicKey: text('public_key').notNull().unique(),
    nextPublicKey: text('next_public_key').unique(), // offered by the agent; takes over with the first proof it signs
    previousPublicKey: text('previous_public_key'), // refused since; whoever still signs with it has a copy
    keyChangedAt: at('key_changed_at'),
    keyChangeWantedAt: at('key_change_wanted_at'), // an operator asked for another key, until it has taken over
    awaitsApprovalSince: at('awaits_approval_since'), // until an admin lets it in, it gets no orders and no secrets
    enrolmentId: uuid('enrolment_id').references(() => enrolments.id),
    enrolledAt: at('enrolled_at').notNull().defaultNow(),
    tags: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    os: text(),
    arch: text(),
    agentVersion: text('agent_version'),
    resticVersion: text('restic_version'),
    protocolVersion: integer('protocol_version'),
    timeZone: text('time_zone'),
    bootTime: at('boot_time'),
    policy: jsonb(),
    online: boolean().notNull().default(false),
    connectedAt: at('connected_at'),
    lastSeenAt: at('last_seen_at'),
    provedAt: at('proved_at'),
    sessionId: uuid('session_id'), // the `next` that was accepted last
    sessionNumber: bigint('session_number', { mode: 'number' }).notNull().default(0),
    spoolEpoch: uuid('spool_epoch'),
    spoolFacts: integer('spool_facts').notNull().default(0),
    spoolLogBytes: bytes('spool_log_bytes').notNull().default(0),
    spoolFull: boolean('spool_full').notNull().default(false), // its disk takes nothing more
    spoolResetAt: at('spool_reset_at'), // its spool was damaged then and begun anew: facts of before may be lost
    setAside: jsonb('set_aside').$type<SetAside>(), // facts this server would not take, kept on the host
    clockSkewMs: integer('clock_skew_ms').notNull().default(0), // its clock at the last heartbeat; above 0: ahead
    configVersion: integer('config_version').notNull().default(1),
    appliedConfigVersion: integer('applied_config_version').notNull().default(0),
    configAppliedAt: at('config_applied_at'),
    scheduleVersion: integer('schedule_version').notNull().default(1),
    appliedScheduleVersion: integer('applied_schedule_version').notNull().default(0),
    scheduleAppliedAt: at('schedule_applied_at'),
    maxConcurrentRuns: integer('max_concurrent_runs').notNull().default(1),
    hookShell: text('hook_shell'),
    quarantinedAt: at('quarantined_at'),
    quarantineReason: text('quarantine_reason'),
    pausedAt: at('paused_at'), // its schedules rest since
    pausedUntil: at('paused_until'), // null: until somebody resumes it
    pausedBy: text('paused_by'),
    pauseReason: text('pause_reason'),
    releasedAt: at('released_at'), // let out of quarantine last; whoever came first since is the host
    releasedAfter: bigint('released_after', { mode: 'number' }), // sessions up to this number are from before that
    lastGoodBackupAt: at('last_good_backup_at'), // of its jobs that ended succeeded or incomplete, so that a list can be sorted by it
    objectiveSeconds: integer('objective_seconds'), // how old its last good backup may be, by its plan; null: none is planned
    objectiveSince: at('objective_since'), // since the plan says so: before that nothing was due
    planReadVersion: integer('plan_read_version').notNull().default(0), // of its schedules, which the two above are of
    foreignIdCount: integer('foreign_id_count').notNull().default(0), // times it named an id of another host
    removedAt: at('removed_at'), // a removed host is refused for ever; its records stay
  },
  table => [
    index('hosts_name').on(table.name, table.id),
    index('hosts_good_backup').on(table.lastGoodBackupAt.asc().nullsFirst(), table.id),
    index('hosts_enrolment').on(table.enrolmentId),
    index('hosts_paused_until')
      .on(table.pausedUntil)
      .where(sql`${table.pausedUntil} is not null`),
    index('hosts_plan_unread')
      .on(table.id)
      .where(sql`plan_read_version <> schedule_version`),
  ],
)

/** restic repositories and what is known of them. */
export const repositories = pgTable('repositories', {
  id: uuid().primaryKey(),
  requestId: uuid('request_id').unique(),
  name: text().notNull().unique(),
  kind: text().$type<BackendKind>().notNull(),
  url: text().notNull(),
  username: text(),
  environment: jsonb().$type<Record<string, string>>().notNull().default({}),
  mayDelete: boolean('may_delete').notNull().default(true),
  maintenanceHostId: uuid('maintenance_host_id').references(() => hosts.id, { onDelete: 'set null' }), // who gets the admin credential, one order at a time
  adminUsername: text('admin_username'),
  riskAcceptedAt: at('risk_accepted_at'), // somebody accepted that the maintenance host also backs up here
  riskAcceptedBy: text('risk_accepted_by'),
  version: integer().notNull().default(1),
  resticId: text('restic_id'),
  sizeBytes: bytes('size_bytes'),
  dedupRatio: bigint('dedup_ratio_thousandths', { mode: 'number' }),
  statsAt: at('stats_at'),
  lastCheckAt: at('last_check_at'),
  lastCheckStatus: text('last_check_status'),
  lockState: text('lock_state').$type<'locked' | 'unlocked'>(),
  locks: jsonb().$type<RepositoryLock[]>().notNull().default([]),
  createdAt: at('created_at').notNull().defaultNow(),
  updatedAt: at('updated_at').notNull().defaultNow(),
})

/** Which hosts have access to which repositories. */
export const hostRepositories = pgTable(
  'host_repositories',
  {
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    repositoryId: uuid('repository_id')
      .notNull()
      .references(() => repositories.id, { onDelete: 'cascade' }),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  table => [
    primaryKey({ columns: [table.hostId, table.repositoryId] }),
    index('host_repositories_repository').on(table.repositoryId),
  ],
)

/**
 * What hosts are to do, and when. `definition` is the draft without what has a column. `counted*`: the timetable by which host
 * and server count slots now, as the host last acked it; null: it counts none. A deleted row is a tombstone for its host.
 */
export const schedules = pgTable(
  'schedules',
  {
    id: uuid().primaryKey(),
    requestId: uuid('request_id').unique(),
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    kind: text().$type<ScheduleKind>().notNull(),
    repositoryIds: uuid('repository_ids').array().notNull(),
    enabled: boolean().notNull(),
    manual: boolean().notNull(),
    cron: text(),
    timeZone: text('time_zone').notNull(),
    definition: jsonb()
      .$type<
        Omit<ScheduleDraft, 'name' | 'kind' | 'repositoryIds' | 'enabled' | 'manual' | 'cron' | 'timeZone'>
      >()
      .notNull(),
    version: integer().notNull().default(1), // for optimistic edits
    rejectedCode: text('rejected_code'), // the host turned this version down
    rejectedReason: text('rejected_reason'),
    countedCron: text('counted_cron'),
    countedTimeZone: text('counted_time_zone'),
    countedFrom: at('counted_from'), // slots after this are counted by the two above
    expectedThrough: at('expected_through'), // slots up to here have an outcome
    newestFireFor: at('newest_fire_for'), // the newest slot its host fired
    periodSeconds: integer('period_seconds'), // the longest time between two of its slots; null: it has none, or nobody has looked yet
    nextCheckPart: integer('next_check_part').notNull().default(1), // of a check that reads in turns
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
    deletedAt: at('deleted_at'),
  },
  table => [
    index('schedules_host').on(table.hostId, table.name, table.id),
    index('schedules_repositories').using('gin', table.repositoryIds),
    index('schedules_counted')
      .on(table.expectedThrough)
      .where(sql`${table.countedCron} is not null`),
  ],
)

/**
 * Jobs: the row is the command. A repository is a bare id here: a true fact about one that is gone is still kept. The four indexes for the
 * newest of all, of a repository, a status and a kind hold whose each job is as well, which was made by hand in a migration.
 */
export const jobs = pgTable(
  'jobs',
  {
    id: uuid().primaryKey(),
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    repositoryId: uuid('repository_id').notNull(),
    kind: text().$type<JobKind>().notNull(),
    status: text().$type<JobStatus>().notNull(),
    reported: boolean().notNull().default(false), // the agent itself reported the end: final
    spec: jsonb().$type<JobSpec>().notNull(),
    forHostId: uuid('for_host_id'), // whose schedule it serves, when its maintenance host runs it
    decidedBy: text('decided_by').$type<'server' | 'agent'>().notNull().default('server'), // `agent`: recorded, never ordered
    elevated: boolean().notNull().default(false), // ordered with the admin credential
    notBefore: at('not_before'), // a retry waits until then
    releasedAt: at('released_at'), // null: held back until nothing on the repository is in its way
    waitsForJobId: uuid('waits_for_job_id'), // what holds it back
    attempt: integer().notNull().default(0), // of a retry: which one, from 1
    notRunFrom: at('not_run_from'), // of a range of slots that did not run: the oldest; `scheduledFor` is the newest
    slotCount: integer('slot_count').notNull().default(1),
    requestId: uuid('request_id').unique(),
    requestedBy: text('requested_by'), // an operator's e-mail; null: not asked for by a person
    scheduleId: uuid('schedule_id'),
    scheduledFor: at('scheduled_for'),
    retryOf: uuid('retry_of'),
    createdAt: at('created_at').notNull().defaultNow(),
    expiresAt: at('expires_at'), // a queued job nobody claimed by then
    acceptedAt: at('accepted_at'),
    startedAt: at('started_at'),
    finishedAt: at('finished_at'),
    cancelRequestedAt: at('cancel_requested_at'),
    cancelRequestedBy: text('cancel_requested_by'),
    command: text(),
    resticVersion: text('restic_version'),
    exitCode: bigint('exit_code', { mode: 'number' }), // Windows counts to 32 bits without a sign
    signal: text(),
    reason: text(),
    error: text(),
    stats: jsonb().$type<Record<string, unknown>>(),
    warnings: jsonb().$type<Warning[]>().notNull().default([]),
    lastLogSeq: bigint('last_log_seq', { mode: 'number' }), // as the agent said at the end
    nextLogSeq: bigint('next_log_seq', { mode: 'number' }).notNull().default(0), // the number expected next
    logDay: date('log_day', { mode: 'string' }), // the day (UTC) its first block came: all of its log lies with that day
  },
  table => [
    unique('jobs_of_host').on(table.id, table.hostId),
    index('jobs_host_newest').on(table.hostId, table.createdAt, table.id),
    index('jobs_repository_newest').on(table.repositoryId, table.createdAt, table.id),
    index('jobs_newest').on(table.createdAt, table.id),
    // For what is rare: without them a filter that nothing passes reads every job there ever was.
    index('jobs_status_newest').on(table.status, table.createdAt, table.id),
    index('jobs_kind_newest').on(table.kind, table.createdAt, table.id),
    index('jobs_host_good_backup')
      .on(table.hostId, table.finishedAt)
      .where(sql`${table.kind} = 'backup' and ${table.status} in ('succeeded', 'incomplete')`),
    index('jobs_repository_good_backup')
      .on(table.repositoryId, table.finishedAt)
      .where(sql`${table.kind} = 'backup' and ${table.status} in ('succeeded', 'incomplete')`),
    index('jobs_open')
      .on(table.hostId, table.status)
      .where(sql`${table.status} in ('queued', 'accepted', 'running', 'lost')`),
    index('jobs_cancel_wish')
      .on(table.hostId)
      .where(sql`${table.cancelRequestedAt} is not null and not ${table.reported}`),
    index('jobs_held')
      .on(table.createdAt)
      .where(sql`${table.status} = 'queued' and ${table.releasedAt} is null`),
    index('jobs_line')
      .on(table.repositoryId)
      .where(sql`${table.status} in ('queued', 'accepted', 'running', 'lost')`),
    index('jobs_maintained')
      .on(table.repositoryId, table.kind, table.finishedAt)
      .where(sql`${table.status} = 'succeeded' and ${table.kind} in ('forget', 'prune')`),
    index('jobs_schedule_newest').on(table.scheduleId, table.createdAt, table.id),
    // When a schedule succeeded last, for lists of many: without it the rows of its repository are read as well.
    index('jobs_schedule_good')
      .on(table.scheduleId, table.repositoryId, table.createdAt, table.id)
      .where(sql`${table.scheduleId} is not null and ${table.status} in ('succeeded', 'incomplete')`),
    index('jobs_retries')
      .on(table.retryOf, table.attempt)
      .where(sql`${table.retryOf} is not null`),
    index('jobs_expiry')
      .on(table.expiresAt)
      .where(sql`${table.status} = 'queued'`),
    uniqueIndex('jobs_slot')
      .on(table.scheduleId, table.scheduledFor, table.repositoryId)
      .where(
        sql`${table.scheduleId} is not null and ${table.scheduledFor} is not null and ${table.retryOf} is null`,
      ),
  ],
)
