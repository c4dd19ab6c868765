// A part of a page that could not be read: what happened, and a way to try again.
import { Button } from '@mantine/core'
import { sentenceFor } from '../trpc.ts'
import { Notice } from './notice.tsx'

/** For a query that failed. */
export const QueryProblem = ({ what, error, again }: { what: string; error: unknown; again: () => void }) => (
  <Notice tone="bad" title={`${what} could not be read.`} action={<Button onClick={again}>Try again</Button>}>
    {sentenceFor(error)}
  </Notice>
)

/** For a mutation that failed, beside the button that was pressed; nothing while there is no error. */
export const MutationProblem = ({ what, error }: { what: string; error: unknown }) =>
  error == null ? null : (
    <Notice tone="bad" title={what}>
      {sentenceFor(error)}
    </Notice>
  )
