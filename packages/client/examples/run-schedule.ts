// Runs the schedule named by the first argument now, and waits for all of its jobs. Exits with 1 if one of them did not succeed.
// Needs a key with the scopes schedules:write and jobs:read, of an operator or admin.
import { newId } from '@restic-manager/contract/ids'
import { endingOf } from './ending.ts'
import { run } from './environment.ts'

await run(async ({ api }, scheduleId) => {
  // Kept for a repeat: the same request id starts nothing new, however often it is sent.
  const requestId = newId()
  const { jobIds } = await api.schedules.runNow.mutate({ requestId, scheduleId })
  const endings = await Promise.all(jobIds.map(jobId => endingOf(api, jobId)))
  return endings.every(({ status }) => status === 'succeeded') ? 0 : 1
})
