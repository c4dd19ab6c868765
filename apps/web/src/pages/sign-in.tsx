// Sign-in, in one step or two. Where nobody could sign in yet, it says how the first admin is made.
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { readStep, showSecond, type Way } from '../factors.ts'
import { Entrance } from '../parts/entrance.tsx'
import { Notice } from '../parts/notice.tsx'
import { PasswordStep } from '../parts/password-step.tsx'
import { PlainHttpWarning } from '../parts/plain-http.tsx'
import { ProviderProblem } from '../parts/provider-problem.tsx'
import { ShowFactor } from '../parts/show-factor.tsx'
import { AuthProblem, needsSetUp } from '../session.ts'
import { queryClient } from '../trpc.ts'

const route = getRouteApi('/sign-in')

/** Asks for what the account needs, then goes back to where the operator was. */
export function SignInPage() {
  const back = route.useSearch().back ?? '/'
  const router = useRouter()
  const setUp = useQuery({ queryKey: ['setup'], queryFn: needsSetUp, staleTime: 0 })
  // Who comes back from the identity provider stands before the second step already.
  const begun = useQuery({ queryKey: ['step'], queryFn: readStep, staleTime: Infinity, gcTime: 0 })
  const [told, setTold] = useState<Way[]>()
  const [over, setOver] = useState<string>()
  useEffect(() => {
    document.title = 'Sign in · restic-manager'
  }, [])
  const needs = told ?? begun.data ?? []
  const enter = () => {
    queryClient.clear()
    router.history.push(back)
  }

  if (needs.length > 0) {
    return (
      <Entrance title="One more step">
        <ShowFactor
          ways={needs}
          verb="Continue"
          show={showSecond}
          onShown={enter}
          onRefused={error => {
            if (!(error instanceof AuthProblem) || error.code !== 'not_allowed') return
            setOver(error.message)
            setTold([])
          }}
        >
          <Button variant="subtle" onClick={() => setTold([])}>
            Start again
          </Button>
        </ShowFactor>
      </Entrance>
    )
  }
  return (
    <Entrance title="Sign in">
      <PlainHttpWarning />
      <ProviderProblem />
      {over !== undefined && <Notice tone="warn" title={over} />}
      {setUp.data === true && (
        <Notice tone="accent" title="This server has no admin yet.">
          Open the set-up link that the server printed in its terminal when it started.
        </Notice>
      )}
      {setUp.isError && (
        <Notice
          tone="bad"
          title={setUp.error.message}
          action={<Button onClick={() => void setUp.refetch()}>Try again</Button>}
        />
      )}
      <PasswordStep
        back={back}
        onShown={left => {
          setOver(undefined)
          if (left.length === 0) enter()
          else setTold(left)
        }}
      />
    </Entrance>
  )
}
