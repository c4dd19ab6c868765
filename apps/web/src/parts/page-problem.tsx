// What stands in place of a page that cannot be shown.
import { Button } from '@mantine/core'
import { Link, useRouter } from '@tanstack/react-router'
import { sentenceFor } from '../trpc.ts'
import './page-problem.css'

/** A page that failed: what happened, and a button that tries again. */
export function PageProblem({ error }: { error: unknown }) {
  const router = useRouter()
  return (
    <main className="problem" role="alert">
      <h1>This page could not be shown</h1>
      <p className="second break">{sentenceFor(error)}</p>
      <Button onClick={() => void router.invalidate()}>Try again</Button>
    </main>
  )
}

/** An address that leads nowhere. */
export function NotFound() {
  return (
    <main className="problem">
      <h1>There is nothing at this address</h1>
      <p className="second">It may have been removed, or the link is not complete.</p>
      <Link to="/">Go to the overview</Link>
    </main>
  )
}
