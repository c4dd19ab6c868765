// For tests only: a real OpenID provider on loopback, with its own login form, and with a hand on what it hands out.
import { createSign, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

type Claims = Record<string, unknown>

export type OpenidProvider = AsyncDisposable & {
  issuer: string
  /** Settings of a server that signs in through it. */
  env: Record<string, string>
  /** Where it sends browsers back to: the address of a server that runs now. */
  serve(url: string): Promise<void>
  /** People by what they type into the form; everybody else is only a name. */
  people: Map<string, Claims>
  /** What it hands out next is put through this. Undefined: as it is. */
  forge: ((token: { header: Claims; claims: Claims }, sign: Sign) => string) | undefined
  /** Answers everything instead of the provider. */
  instead: RequestListener | undefined
}

/** Signs as the provider does, or with another key. */
type Sign = (token: { header: Claims; claims: Claims }, key?: KeyObject) => string

/** Starts a provider on a free port. It serves once it knows its server. */
export async function openidProvider(): Promise<OpenidProvider> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  let serving: RequestListener = (_request, response) => void response.writeHead(503).end()
  const web = createServer((request, response) => (provider.instead ?? serving)(request, response))
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  // For a browser another site than 127.0.0.1, as a provider is.
  const issuer = `http://localhost:${(web.address() as AddressInfo).port}`
  const client = { client_id: 'restic-manager', client_secret: randomUUID() }

  const sign: Sign = ({ header, claims }, key = privateKey) => {
    const text = [header, claims]
      .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    return `${text}.${createSign('RSA-SHA256').update(text).sign(key, 'base64url')}`
  }
  const provider: OpenidProvider = {
    issuer,
    env: {
      RM_OIDC_ISSUER: issuer,
      RM_OIDC_CLIENT_ID: client.client_id,
      RM_OIDC_CLIENT_SECRET: client.client_secret,
      RM_OIDC_NAME: 'Test ID',
    },
    people: new Map(),
    forge: undefined,
    instead: undefined,
    async serve(url) {
      const made = await makeProvider(issuer, {
        clients: [{ ...client, redirect_uris: [`${url}/auth/provider/callback`] }],
        jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'k1' }] },
        ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
        cookies: { keys: [randomUUID()] },
        claims: { email: ['email', 'email_verified'], profile: ['name', 'groups'] },
        findAccount: (_ctx: unknown, accountId: string) => ({
          accountId,
          claims: () => ({ sub: accountId, ...provider.people.get(accountId) }),
        }),
        async loadExistingGrant({ oidc }: GrantContext) {
          const grant = new made.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId })
          grant.addOIDCScope('openid email profile')
          await grant.save()
          return grant
        },
      })
      made.use(async (ctx: { body?: { id_token?: string } }, next: () => Promise<void>) => {
        await next()
        const token = ctx.body?.id_token
        if (token === undefined || provider.forge === undefined) return
        const [header = {}, claims = {}] = token
          .split('.')
          .slice(0, 2)
          .map(part => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims)
        ctx.body = { ...ctx.body, id_token: provider.forge({ header, claims }, sign) }
      })
      serving = made.callback() as RequestListener
    },
    async [Symbol.asyncDispose]() {
      web.closeAllConnections()
      web.close()
      await once(web, 'close')
    },
  }
  return provider
}

type GrantContext = { oidc: { session: { accountId: string }; client: { clientId: string } } }
type Grant = { addOIDCScope(scope: string): void; save(): Promise<string> }
type Made = {
  use(middleware: (ctx: { body?: { id_token?: string } }, next: () => Promise<void>) => Promise<void>): void
  callback(): unknown
  Grant: new (of: { accountId: string; clientId: string }) => Grant
}

/** Loaded by the tests that need it: it is large, and has no types. It says at length that it is not set up for production. */
async function makeProvider(issuer: string, settings: object): Promise<Made> {
  const name = 'oidc-provider'
  const { warn } = console
  console.warn = () => {}
  try {
    const { Provider } = (await import(name)) as { Provider: new (issuer: string, settings: object) => Made }
    return new Provider(issuer, settings)
  } finally {
    console.warn = warn
  }
}
