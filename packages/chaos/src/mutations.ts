// Guards of the product, each with the edit that breaks it: a checker that lets one of these pass would prove nothing.
import type { Replacement } from './copy-checkout.ts'

export type Mutation = {
  guard: string
  /** What the guard is for. */
  promise: string
  replacements: readonly Replacement[]
}

/** Broken one at a time, in copies of the sources. A place that is not there exactly once ends the run with a sentence. */
export const mutations: readonly Mutation[] = [
  {
    guard: 'session fencing',
    promise: 'a write under an older session of a host changes nothing',
    replacements: [
      {
        file: 'apps/server/src/fleet/facts.ts',
        find: '    eq(hosts.sessionNumber, host.session),\n',
        replace: '',
      },
      {
        file: 'apps/server/src/fleet/asked-sessions.ts',
        find: ' and hosts.session_number = asked.session\n',
        replace: '\n',
      },
    ],
  },
  {
    guard: 'idempotency',
    promise: 'a fact that is told again changes nothing, not even how far its spool was heard',
    replacements: [
      {
        file: 'apps/server/src/fleet/facts.ts',
        find: 'where spools.${name} < excluded.${name}',
        replace: 'where spools.${name} < excluded.${name} + 1000000',
      },
      {
        file: 'apps/server/src/fleet/many-facts.ts',
        find: 'end < known.seq\n',
        replace: 'end < known.seq + 1000000\n',
      },
    ],
  },
  {
    guard: 'log sequence',
    promise: 'a block of a log is stored only when it is the one expected next',
    replacements: [
      {
        file: 'apps/server/src/fleet/log-appends.ts',
        find: 'and jobs.next_log_seq = held."firstSeq"',
        replace: 'and jobs.next_log_seq <= held."firstSeq"',
      },
    ],
  },
  {
    guard: 'ack after commit',
    promise: 'a fact is acked only when it is committed',
    replacements: [
      {
        file: 'apps/server/src/agent-api/job.ts',
        find: 'countForeignIds(ctx, input.jobId, () => finishJob(ctx.db, ctx.sender, input, ctx.timing)),',
        replace: `{
        countForeignIds(ctx, input.jobId, () => finishJob(ctx.db, ctx.sender, input, ctx.timing)).catch(() => {})
        return { seq: input.seq }
      },`,
      },
    ],
  },
  {
    guard: 'one job per slot',
    promise: 'a slot is one job, whoever asks about it and however often',
    replacements: [
      {
        file: 'apps/server/src/fleet/fires.ts',
        find: 'jobId: slotJobId(row.id, fire.scheduledAt, repositoryId), place',
        replace: 'jobId: crypto.randomUUID(), place',
      },
      {
        file: 'apps/server/src/fleet/many-fires.ts',
        find: '...{ id: slotJobId(scheduleId, scheduledAt, repositoryId), hostId,',
        replace: '...{ id: crypto.randomUUID(), hostId,',
      },
      {
        file: 'drizzle/0000_first_tables.sql',
        find: 'CREATE UNIQUE INDEX "jobs_slot"',
        replace: 'CREATE INDEX "jobs_slot"',
      },
    ],
  },
]
