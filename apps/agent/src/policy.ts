// What this host lets a server do. The server cannot change it: what is not compiled in or allowed here never runs.
import type { PolicySummary } from '@restic-manager/contract/agent'

/** Hooks are programs a server could name. This agent runs none. */
export const policy: PolicySummary = { hooks: 'off' }
