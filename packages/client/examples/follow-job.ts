// Follows the job named by the first argument to its end. Exits with 0 if it left a restore point or did what it was for, with 1 otherwise.
// Needs a key with the scope jobs:read.
import { endingOf } from './ending.ts'
import { run } from './environment.ts'

await run(async ({ api }, jobId) => {
  const { status, error } = await endingOf(api, jobId)
  if (error !== null) console.log(error)
  return status === 'succeeded' || status === 'incomplete' ? 0 : 1
})
