// One whole example of every message about jobs, one for each kind of order.
import type { z } from 'zod'
import { CommandAnswer, CommandCancel, CommandResult, CommandRun, Hook } from './command.ts'
import { JobFinished, JobProgress, JobStarted } from './job.ts'
import { LogAnswer, LogStreamBlock } from './log.ts'
import {
  id,
  at,
  rest,
  first,
  header,
  headerOptional,
  access,
  hook,
  options,
  retention,
  under,
  type Sample,
} from './testing-samples.ts'

const run = { ...header, configVersion: 7, elevatedAccess: access }
const runOptional = [
  ...headerOptional,
  'elevatedAccess',
  'elevatedAccess.username',
  'elevatedAccess.credential',
  'elevatedAccess.environment',
]
const commandRun = (kind: CommandRun['kind'], spec: object, optional: string[] = []): Sample => ({
  name: `command.run of ${kind}`,
  schema: CommandRun.options.find(option => option.shape.kind.value === kind) as z.ZodType,
  sample: { ...run, kind, spec },
  optional: [...runOptional, ...optional],
  free: ['elevatedAccess.environment', 'spec.preHook', 'spec.postHook'],
})

export const jobMessages: Sample[] = [
  {
    name: 'a hook by its name',
    schema: Hook,
    sample: hook,
    optional: ['timeoutMinutes', 'onFailure'],
    absent: ['script'],
  },
  {
    name: 'a hook by its text',
    schema: Hook,
    sample: { script: 'pg_dumpall', timeoutMinutes: 5, onFailure: 'continue' },
    optional: ['timeoutMinutes', 'onFailure'],
    absent: ['name'],
  },
  commandRun('init', {}),
  commandRun('probe', {}),
  commandRun(
    'backup',
    {
      paths: ['/etc'],
      excludes: ['*.tmp'],
      tags: ['nightly'],
      options,
      preHook: hook,
      postHook: hook,
      timeoutMinutes: 90,
    },
    [
      ...['spec.excludes', 'spec.tags', 'spec.timeoutMinutes'],
      ...under('spec.options', options),
      'spec.preHook',
      'spec.postHook',
    ],
  ),
  commandRun(
    'forget',
    { retention, dryRun: true, targets: [{ hostId: id(6), scheduleId: id(3) }], timeoutMinutes: 90 },
    ['spec.timeoutMinutes', ...under('spec.retention', retention).slice(1)],
  ),
  commandRun('prune', { maxUnusedPercent: 5, maxUnusedBytes: 1, maxRepackBytes: 1, timeoutMinutes: 90 }, [
    ...['maxUnusedPercent', 'maxUnusedBytes', 'maxRepackBytes', 'timeoutMinutes'].map(name => `spec.${name}`),
  ]),
  commandRun('check', { readPercent: 5, readPart: { part: 1, of: 12 }, timeoutMinutes: 90 }, [
    ...['readPercent', 'readPart', 'timeoutMinutes'].map(name => `spec.${name}`),
  ]),
  commandRun('unlock', {}),
  {
    name: 'command.cancel',
    schema: CommandCancel,
    sample: header,
    optional: ['kind', 'repositoryId', ...headerOptional],
  },
  {
    name: 'command.result',
    schema: CommandResult,
    sample: { ...first, ...header, accepted: false, reason: 'unsupported', error: 'Too old.' },
    optional: [...headerOptional, 'reason', 'error'],
  },
  { name: 'the answer to command.result', schema: CommandAnswer, sample: { seq: 3, proceed: true } },
  {
    name: 'job.started',
    schema: JobStarted,
    sample: { ...rest, ...header, startedAt: at, command: 'restic backup', resticVersion: '0.18.0' },
    optional: headerOptional,
  },
  {
    name: 'job.progress',
    schema: JobProgress,
    sample: {
      jobId: id(1),
      phase: 'running',
      percentDone: 0.5,
      filesDone: 1,
      totalFiles: 2,
      bytesDone: 1,
      totalBytes: 2,
      etaSeconds: 9,
      throughputBps: 100,
      currentFiles: ['/etc/passwd'],
    },
    optional: ['etaSeconds', 'currentFiles'],
  },
  {
    name: 'log.stream',
    schema: LogStreamBlock,
    sample: { jobId: id(1), firstSeq: 0, count: 1, startedAt: at, block: '0\to\thello\n' },
  },
  { name: 'the answer to log.stream', schema: LogAnswer, sample: { nextSeq: 1 } },
  {
    name: 'job.finished',
    schema: JobFinished,
    sample: {
      ...rest,
      ...header,
      status: 'incomplete',
      exitCode: 3,
      signal: 'SIGINT',
      reason: 'sources_unread',
      finishedAt: at,
      stats: { files_new: 7 },
      warnings: [{ code: 'unreadable', path: '/etc/shadow', message: 'It could not be read.' }],
      error: 'Some files could not be read.',
      lastLogSeq: 12,
    },
    optional: [...headerOptional, 'exitCode', 'signal', 'reason', 'stats', 'warnings[].path', 'error'],
    free: ['stats'],
  },
]
