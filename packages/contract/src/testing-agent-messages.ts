// One whole example of every message about an agent, its configuration and its repositories.
import { AgentHeartbeat, AgentHello, AgentWelcome, HeartbeatAnswer, UpdateAvailable } from './agent.ts'
import { Ack } from './fact.ts'
import {
  ChallengeAnswer,
  EnrolmentAnswer,
  EnrolmentRedeem,
  ProofAnswer,
  SessionChallenge,
  SessionProof,
} from './join.ts'
import { ConfigAck, ConfigUpdate, RepoStats } from './repository.ts'
import { SnapshotsReport } from './snapshots.ts'
import { access, at, id, rest, type Sample } from './testing-samples.ts'

export const agentMessages: Sample[] = [
  {
    name: 'agent.hello',
    schema: AgentHello,
    sample: {
      protocolVersion: 1,
      agentVersion: '0.1.0',
      resticVersion: '0.18.0',
      hostname: 'web-01',
      os: 'linux',
      arch: 'amd64',
      bootTime: at,
      timeZone: 'Europe/Berlin',
      spoolEpoch: id(5),
      appliedScheduleVersion: 3,
      appliedConfigVersion: 7,
      knownJobs: [{ jobId: id(1), status: 'running' }],
      policy: {
        hooks: 'listed',
        hookNames: ['dump'],
        repositories: ['rest:https://vault.example.com/**'],
        environment: ['RESTIC_CACERT'],
        uploadKibps: 2_000,
        downloadKibps: 4_000,
        restore: { roots: ['/var/restores'], inPlace: false },
        problem: 'The file is no JSON.',
      },
      spoolResetAt: at,
    },
    optional: [
      'bootTime',
      'policy.hookNames',
      'policy.repositories',
      'policy.environment',
      'policy.uploadKibps',
      'policy.downloadKibps',
      'policy.restore',
      'policy.problem',
      'spoolResetAt',
    ],
  },
  {
    name: 'the answer to agent.hello',
    schema: AgentWelcome,
    sample: {
      hostId: id(6),
      protocol: { min: 1, max: 1 },
      serverVersion: '0.1.0',
      serverTime: at,
      ackedSeq: { first: 3, rest: 4 },
      heartbeatIntervalMs: 30_000,
      limits: {
        logBlockBytes: 65_536,
        logFlushMs: 250,
        logBytesPerSecond: 1_000_000,
        progressIntervalMs: 1_000,
      },
    },
  },
  {
    name: 'agent.heartbeat',
    schema: AgentHeartbeat,
    sample: {
      sentAt: at,
      spool: {
        facts: 2,
        logBytes: 4_096,
        setAside: { count: 1, name: 'job.started', at, why: 'This is not known here.' },
        full: true,
      },
    },
    optional: ['spool.setAside', 'spool.full'],
  },
  { name: 'the answer to agent.heartbeat', schema: HeartbeatAnswer, sample: { serverTime: at } },
  {
    name: 'agent.updateAvailable',
    schema: UpdateAvailable,
    sample: { latestVersion: '0.2.0', packageUrl: 'https://example.com/agent', changelog: 'Better.' },
    optional: ['changelog'],
  },
  {
    name: 'config.update',
    schema: ConfigUpdate,
    sample: {
      version: 7,
      repositories: [{ repositoryId: id(2), resticId: 'ab'.repeat(32), ...access, mayDelete: false }],
      maxConcurrentRuns: 1,
      hookShell: '/bin/bash',
    },
    optional: [
      'hookShell',
      ...['resticId', 'username', 'credential', 'environment'].map(name => `repositories[].${name}`),
    ],
    free: ['repositories[].environment'],
  },
  { name: 'config.ack', schema: ConfigAck, sample: { version: 7, appliedAt: at } },
  {
    name: 'snapshots.report',
    schema: SnapshotsReport,
    sample: {
      ...rest,
      repositoryId: id(2),
      reportId: id(8),
      scope: 'whole',
      page: 0,
      pages: 1,
      snapshots: [
        {
          id: 'ab'.repeat(32),
          shortId: 'abababab',
          time: at,
          hostname: 'web-01',
          paths: ['/etc'],
          tags: ['nightly'],
          sizeBytes: 1,
          fileCount: 1,
        },
      ],
    },
  },
  {
    name: 'repo.stats',
    schema: RepoStats,
    sample: {
      repositoryId: id(2),
      sizeBytes: 1,
      snapshotCount: 1,
      dedupRatio: 2.5,
      resticId: 'ab'.repeat(32),
      lastCheckAt: at,
      lastCheckStatus: 'succeeded',
      lockState: 'locked',
      locks: [{ hostname: 'web-01', pid: 42, createdAt: at, exclusive: true }],
    },
    optional: [
      'sizeBytes',
      'snapshotCount',
      'dedupRatio',
      'resticId',
      'lastCheckAt',
      'lastCheckStatus',
      'locks',
    ],
  },
  { name: 'the ack of a fact', schema: Ack, sample: { seq: 4 } },
  {
    name: 'enrolment.redeem',
    schema: EnrolmentRedeem,
    sample: { token: `rmj_${'a'.repeat(43)}`, publicKey: 'a'.repeat(43), hostname: 'web-01' },
  },
  {
    name: 'the answer to enrolment.redeem',
    schema: EnrolmentAnswer,
    sample: { hostId: id(6), hostName: 'web-01' },
  },
  { name: 'session.challenge', schema: SessionChallenge, sample: { hostId: id(6) } },
  {
    name: 'the answer to session.challenge',
    schema: ChallengeAnswer,
    sample: { nonce: 'abc', expiresAt: at },
  },
  {
    name: 'session.prove',
    schema: SessionProof,
    sample: { hostId: id(6), nonce: 'abc', confirmed: id(7), next: id(8), signature: 'a'.repeat(86) },
  },
  { name: 'the answer to session.prove', schema: ProofAnswer, sample: { bearer: 'abc', expiresAt: at } },
]
