// For tests only: orders as a server gives them.
import type { AgentOrder } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import type { ConfigUpdate } from '@restic-manager/contract/repository'

export const repositoryId = newId()

/** A configuration with one local repository. */
export function configOrder(change: Partial<ConfigUpdate> = {}): AgentOrder {
  const repository = {
    repositoryId,
    url: '/srv/repository',
    password: 'a password of tests',
    mayDelete: false,
  }
  return { order: 'config.update', version: 1, repositories: [repository], maxConcurrentRuns: 1, ...change }
}

/** Backs up `/etc/hostname`: the fake restic reads nothing of it, and it must exist. */
export function backupOrder(jobId = newId()): AgentOrder & { order: 'command.run' } {
  const spec = { paths: ['/etc/hostname'] }
  return { order: 'command.run', jobId, kind: 'backup', repositoryId, configVersion: 1, spec }
}
