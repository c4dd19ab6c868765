// What surrounds every page: theme, queries, routes, and the way to sign-in and back.
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { useEffect } from 'react'
import { ProofAsked } from './parts/proof-asked.tsx'
import { router } from './router.tsx'
import { theme, tieVariables } from './theme.ts'
import { onSignedOut, queryClient } from './trpc.ts'

/** The whole page. */
export function App() {
  useEffect(
    () =>
      onSignedOut(() => {
        const { pathname, href } = router.state.location
        if (['/sign-in', '/setup', '/invitation'].includes(pathname)) return
        queryClient.clear()
        void router.navigate({ to: '/sign-in', search: { back: href } })
      }),
    [],
  )
  return (
    <MantineProvider theme={theme} cssVariablesResolver={tieVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
        <ProofAsked />
      </QueryClientProvider>
    </MantineProvider>
  )
}
