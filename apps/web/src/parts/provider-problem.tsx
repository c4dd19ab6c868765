// Why somebody came back from the identity provider without success, on the page that they left from.
import { useLocation } from '@tanstack/react-router'
import { problemIn } from '../provider.ts'
import { Notice } from './notice.tsx'

/** Stands until the next page. Shows nothing when all went well. */
export function ProviderProblem() {
  const problem = useLocation({ select: ({ search }) => problemIn({ ...search }) })
  return problem === undefined ? null : <Notice tone="bad" title={problem} />
}
