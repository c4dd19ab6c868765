// Why a job ended as it did: stable codes, each with a sentence for a person and what to do.

/** What each reason code means. An agent newer than this code may send others: show its own `error` then. */
export const jobReasons = {
  wrong_password: 'The repository password is wrong. Check the password of this repository.',
  repository_missing: 'There is no repository at this place yet. Initialise it, or correct the address.',
  already_initialised: 'The repository was already there.',
  locked: 'Another restic holds the repository lock. Try again later, or unlock it when nothing is running.',
  unreachable:
    'The repository could not be reached from this host. Check the address, the network and the server behind it.',
  backend_auth: 'The storage refused the credentials. Check user name and secret of this repository.',
  host_key_unknown:
    'The SSH server is not known by its key on this host, or has another key now. Compare its fingerprint, connect once by hand as the user the agent runs as, then try again.',
  storage_full: 'The storage is full. Free space or raise the quota, then run the backup again.',
  source_missing: 'None of the folders to back up exists on this host.',
  sources_unread: 'Some files could not be read. The restore point holds everything else.',
  damaged: 'restic found damage in the repository. Run a check with data before trusting it.',
  permission: 'restic was not allowed to read or write something it needs on this host.',
  killed: 'restic was killed, perhaps because the host ran out of memory.',
  agent_restarted: 'The agent stopped while restic was running.',
  timeout: 'The job took longer than its limit and was stopped.',
  stalled: 'restic made no progress for a long time and was stopped.',
  refused_by_policy: 'The policy file of this host does not allow this job.',
  unsupported: 'The agent on this host is too old for this job. Upgrade it.',
  disk_full: 'The disk that holds the records of this host is full. Make room on it, then try again.',
  configuration_missing: 'The host has no access data for this repository yet.',
  restic_missing: 'No usable restic was found on this host. Install restic 0.17 or newer.',
  bad_request: 'restic refused its arguments.',
  cancelled_by_operator: 'An operator cancelled the job.',
  agent_stopping: 'The agent was stopped while restic was running.',
  overlap: 'The run before was still going on.',
  superseded: 'A newer slot of the same schedule took its place.',
  schedule_deleted: 'The schedule had been deleted.',
  schedule_paused: 'The schedule was paused.',
  host_paused: 'The host was paused by an operator.',
  host_was_off: 'The host was off, asleep, or its agent was stopped at that time.',
  spool_full: 'The host had no room left to remember what it ran: nobody had taken its records for too long.',
  not_reported: 'The host has not told what became of this slot.',
  no_maintenance_host: 'This repository has no maintenance host. Choose one on its page.',
  access_forgotten: 'The agent restarted before it used the access it was lent for this one run.',
  unsafe_retention: 'The retention would let go of everything, or says nothing to keep.',
  nothing_kept: 'Nothing would have been kept of some snapshots, so nothing was removed.',
  deletion_refused: 'The storage refused to delete. The credential in use may only add.',
  hook_failed: 'The program that runs before the backup failed, so the backup did not begin.',
  not_claimed: 'The host did not come back in time, so the job was not run.',
  agent_lost_it: 'The agent no longer knows this job.',
  host_silent: 'The host has been silent for so long that the end of this job is unknown.',
  failed: 'restic failed. The log has its own words.',
} as const
export type JobReason = keyof typeof jobReasons

/** The sentence for a code from the wire; undefined for a code this version does not know. */
export function reasonSentence(code: string): string | undefined {
  return Object.hasOwn(jobReasons, code) ? jobReasons[code as JobReason] : undefined
}
