// For tests only: a server with a provider beside it, and people who sign in through it.
import { signInLimits } from './db/schema-operators.ts'
import { startServer, type TestServer, type TestServerOptions } from './testing.ts'
import { type TestBrowser, testBrowser } from './testing-browser.ts'
import { openidProvider, type OpenidProvider } from './testing-openid.ts'

export { testBrowser } from './testing-browser.ts'
export { openidProvider } from './testing-openid.ts'

export type SignInHouse = AsyncDisposable & {
  server: TestServer
  provider: OpenidProvider
  /** Begins in a browser and answers the address at the provider, or the refusal's sentence. */
  begin(browser: TestBrowser, wish?: object): Promise<{ url?: string; message?: string }>
  /** From the button to the page. Answers where the browser ended up. */
  enter(as: string, wish?: { browser?: TestBrowser; body?: object }): Promise<End>
  who(browser: TestBrowser): Promise<{ email: string; role: string } | null>
}

/** `at`: path and query of the page. `problem`: what that page will say. */
export type End = { browser: TestBrowser; at: string; problem: string | null }

/** A server that knows the provider, with these other settings. `pageDir`: a folder with a built page. */
export async function signInHouse(
  env: Record<string, string> = {},
  options: Pick<TestServerOptions, 'pageDir'> = {},
): Promise<SignInHouse> {
  await using undo = new AsyncDisposableStack()
  const provider = undo.use(await openidProvider())
  const server = undo.use(await startServer({ ...options, env: { ...provider.env, ...env } }))
  await provider.serve(server.url)
  const callback = `${server.url}/auth/provider/callback`

  const house = {
    server,
    provider,
    async begin(browser: TestBrowser, wish: object = { for: 'sign-in' }) {
      // All of a test come from one address.
      await server.db.delete(signInLimits)
      const { said } = await browser.ask('POST', `${server.url}/auth/provider/begin`, wish)
      return JSON.parse(said) as { url?: string; message?: string }
    },
    async enter(
      as: string,
      { browser = testBrowser(), body }: { browser?: TestBrowser; body?: object } = {},
    ) {
      const { url = '' } = await house.begin(browser, body)
      const back = await browser.visit(url, { as, back: callback })
      return endOf(browser, await browser.ask('GET', back))
    },
    async who(browser: TestBrowser) {
      const { said } = await browser.ask('GET', `${server.url}/auth/session`)
      return (JSON.parse(said) as { principal: { email: string; role: string } | null }).principal
    },
  }
  const owned = undo.move()
  return { ...house, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Where a callback sent a browser. Throws when that is another site. */
export function endOf(browser: TestBrowser, answer: { url: string; location: string | undefined }): End {
  const url = new URL(answer.location ?? 'about:blank')
  if (url.origin !== new URL(answer.url).origin) throw new Error(`sent away to ${url.href}`)
  const problem = url.searchParams.get('problem')
  url.searchParams.delete('problem')
  return { browser, at: `${url.pathname}${url.search}`, problem }
}
