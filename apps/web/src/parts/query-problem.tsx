// A part of a page that could not be read: what happened, and a way to try again.
import { Button } from '@mantine/core'
import { useLink } from '../link.ts'
import { refusalIn, sentenceFor, wasAnswered } from '../trpc.ts'
import { Notice } from './notice.tsx'

type Asked = { isError: boolean; error: unknown; data: unknown; refetch: () => unknown }

/** For a query that failed. Nothing while what was read before still stands: the top bar or the banner says how old it is. */
export function QueryProblem({ what, query }: { what: string; query: Asked }) {
  const { silentSince } = useLink()
  if (!query.isError) return null
  const saidAbove = silentSince !== undefined && refusalIn(query.error) === 'unavailable'
  if (query.data !== undefined && (saidAbove || !wasAnswered(query.error))) return null
  return (
    <Notice
      tone="bad"
      title={`${what} could not be read.`}
      action={<Button onClick={() => void query.refetch()}>Try again</Button>}
    >
      {sentenceFor(query.error)}
    </Notice>
  )
}

/** For a mutation that failed, beside the button that was pressed; nothing while there is no error. */
export const MutationProblem = ({ what, error }: { what: string; error: unknown }) =>
  error == null ? null : (
    <Notice tone="bad" title={what}>
      {sentenceFor(error)}
    </Notice>
  )
