// For tests only: a browser as far as cookies and redirects go, that fills in the login form of a provider.

export type TestBrowser = ReturnType<typeof testBrowser>

type Answer = { status: number; url: string; location: string | undefined; said: string }

/** Keeps cookies by host. `follow` goes on until an answer is no redirect, or until it leads below `until`. */
export function testBrowser() {
  const jars = new Map<string, Map<string, string>>()

  async function ask(method: string, url: string, body?: object | URLSearchParams): Promise<Answer> {
    const { host } = new URL(url)
    const jar = jars.get(host) ?? new Map<string, string>()
    jars.set(host, jar)
    const isForm = body instanceof URLSearchParams
    const answer = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        cookie: [...jar].map(pair => pair.join('=')).join('; '),
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    const to = answer.headers.get('location')
    const location = to === null ? undefined : new URL(to, url).href
    return { status: answer.status, url, location, said: await answer.text() }
  }

  async function follow(answer: Answer, until: string): Promise<Answer> {
    let at = answer
    while (at.location !== undefined && !at.location.startsWith(until)) at = await ask('GET', at.location)
    return at
  }

  return {
    ask,
    /** The cookies of a host, to take them elsewhere. */
    jar: (url: string) => jars.get(new URL(url).host) ?? new Map<string, string>(),
    /** Sends the browser to the provider, types a name into its form if it shows one, and answers where it is sent back to. */
    async visit(url: string, { as, back }: { as: string; back: string }): Promise<string> {
      let page = await follow(await ask('GET', url), back)
      // The form, and for somebody who is signed in there as another person a second one, which a script would send.
      for (let form = formIn(page); form !== undefined; form = formIn(page)) {
        form.fields.set('login', as)
        page = await follow(await ask('POST', form.action, form.fields), back)
      }
      return page.location ?? ''
    },
  }
}

function formIn({ said, url }: Answer) {
  const [, action] = /<form[^>]* action="([^"]+)"/.exec(said) ?? []
  if (action === undefined) return undefined
  const hidden = said.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)
  const fields = new URLSearchParams([...hidden].map(([, name = '', value = '']) => [name, value]))
  return { action: new URL(action, url).href, fields }
}
