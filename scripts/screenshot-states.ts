// What a page goes through that no fleet can tell: waiting for the server, not hearing from it, having lost the line to it.
import type { Page } from './screenshot-camera.ts'

/** Who is signed in is asked before a page is drawn at all. */
const isAnswer = (address: URL) =>
  address.pathname.startsWith('/trpc/') && !address.pathname.startsWith('/trpc/me.get')

/** The server takes its time over everything. */
export const holdAnswers = (page: Page): Promise<void> => page.route(isAnswer, () => {}).then(() => {})

/** No answer comes through. */
export const loseAnswers = (page: Page): Promise<void> =>
  page.route(isAnswer, route => route.abort('connectionrefused')).then(() => {})

/** The page keeps what it has read, and its line to the server is cut and stays cut. */
export function cutTheLine() {
  let cut: (() => Promise<void>) | undefined
  let isCut = false
  return {
    before: (page: Page) =>
      page.routeWebSocket('**/trpc**', async socket => {
        if (isCut) return socket.close()
        socket.connectToServer()
        cut = () => socket.close()
      }),
    act: async (page: Page) => {
      await page.getByText(/^Live/).waitFor()
      isCut = true
      await cut?.()
      await page.getByText('reconnecting').waitFor()
    },
  }
}
