// Settings of the identity provider: which one, as which client, and whom it may let in.
import { readFileSync } from 'node:fs'
import { Role, roleRanks } from '@restic-manager/contract/role'
import { z } from 'zod'
import { BadSetting, type Variable } from './setting.ts'

/** An OpenID provider that operators may sign in through. */
export type ProviderSettings = {
  /** Exactly as the provider says it of itself. */
  issuer: string
  clientId: string
  clientSecret: string
  /** What the button says. */
  name: string
  /** Separated by spaces. */
  scopes: string
  /** People whom nobody invited get in with a confirmed e-mail of one of these domains. Empty: nobody. */
  domains: readonly string[]
  domainRole: Role
  groupsClaim: string
  /** Which group has which role, the highest role first. Empty: groups are not looked at. */
  groupRoles: readonly { role: Role; group: string }[]
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Whether an address leads to this very machine. */
export const isLoopback = (url: URL): boolean => loopback.test(url.hostname)

export const providerVariables = {
  RM_OIDC_ISSUER: {
    shape: z.string().refine(isIssuer),
    accepted: 'an https address such as https://id.example.org/realms/home; http only on this machine',
    help: 'an OpenID provider that operators may sign in through, exactly as it names itself',
  },
  RM_OIDC_CLIENT_ID: {
    shape: z.string().max(1_000),
    accepted: 'at most 1000 characters',
    help: 'as which client this server is known there; its redirect address is RM_PUBLIC_URL/auth/provider/callback',
  },
  RM_OIDC_CLIENT_SECRET: {
    shape: z.string().max(2_000),
    accepted: 'at most 2000 characters',
    secret: true,
    help: 'the secret of that client',
  },
  RM_OIDC_CLIENT_SECRET_FILE: {
    shape: z.string().min(1),
    accepted: 'a file',
    help: 'a file with that secret, instead of the variable',
  },
  RM_OIDC_NAME: {
    shape: z.string().trim().min(1).max(60),
    accepted: 'up to 60 characters',
    help: 'what the button calls the provider (default: the host of its address)',
  },
  RM_OIDC_SCOPES: {
    shape: z.string().transform(readScopes),
    accepted: 'scopes separated by spaces, openid among them',
    fallback: 'openid email profile',
    help: 'what the provider is asked for; some tell groups only for a scope such as groups',
  },
  RM_OIDC_DOMAINS: {
    shape: z.string().transform(readDomains),
    accepted: 'domains separated by commas, such as example.org,example.net',
    fallback: '',
    help: 'people nobody invited get in with a confirmed e-mail of these domains (default: only invited and linked people)',
  },
  RM_OIDC_DOMAIN_ROLE: {
    shape: Role,
    accepted: Role.options.join(', '),
    fallback: 'viewer',
    help: 'the role of people who get in by their domain',
  },
  RM_OIDC_GROUPS_CLAIM: {
    shape: z.string().min(1).max(200),
    accepted: 'the name of a claim',
    fallback: 'groups',
    help: 'the claim that lists the groups of a person',
  },
  RM_OIDC_GROUP_ROLES: {
    shape: z.string().transform(readGroupRoles),
    accepted: 'role=group separated by semicolons, such as admin=backup-admins;viewer=staff',
    fallback: '',
    help: 'groups decide the role at every sign-in, and who is in none of them stays out',
  },
} as const satisfies Record<string, Variable>

type Read = <Name extends keyof typeof providerVariables>(
  name: Name,
) => z.output<(typeof providerVariables)[Name]['shape']> | undefined

/** Reads them together. Undefined: there is no provider. Throws a `BadSetting` when one lacks another. */
export function readProvider(read: Read): ProviderSettings | undefined {
  const issuer = read('RM_OIDC_ISSUER')
  const clientId = read('RM_OIDC_CLIENT_ID')
  const inline = read('RM_OIDC_CLIENT_SECRET')
  const file = read('RM_OIDC_CLIENT_SECRET_FILE')
  if (issuer === undefined) {
    if (clientId !== undefined || inline !== undefined || file !== undefined)
      throw new BadSetting(
        'RM_OIDC_ISSUER is not set, but other settings of the provider are. Accepted: all of them or none.',
      )
    return undefined
  }
  if (clientId === undefined)
    throw new BadSetting('RM_OIDC_CLIENT_ID is not set, but RM_OIDC_ISSUER is. Accepted: both or neither.')
  return {
    issuer,
    clientId,
    clientSecret: secretOf(inline, file),
    name: read('RM_OIDC_NAME') ?? new URL(issuer).host,
    scopes: read('RM_OIDC_SCOPES') ?? '',
    domains: read('RM_OIDC_DOMAINS') ?? [],
    domainRole: read('RM_OIDC_DOMAIN_ROLE') ?? 'viewer',
    groupsClaim: read('RM_OIDC_GROUPS_CLAIM') ?? '',
    groupRoles: read('RM_OIDC_GROUP_ROLES') ?? [],
  }
}

function secretOf(inline: string | undefined, file: string | undefined): string {
  if ((inline === undefined) === (file === undefined))
    throw new BadSetting(
      `RM_OIDC_CLIENT_SECRET and RM_OIDC_CLIENT_SECRET_FILE are ${inline === undefined ? 'not set' : 'both set'}. Accepted: exactly one of them.`,
    )
  if (file === undefined) return inline ?? ''
  try {
    const secret = readFileSync(file, 'utf8').trim()
    if (secret !== '') return secret
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new BadSetting(
      `RM_OIDC_CLIENT_SECRET_FILE is ${JSON.stringify(file)}, which cannot be read (${code}).`,
    )
  }
  throw new BadSetting(`RM_OIDC_CLIENT_SECRET_FILE is ${JSON.stringify(file)}, which is empty.`)
}

function isIssuer(value: string): boolean {
  const url = URL.parse(value)
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
}

function readScopes(value: string, ctx: z.RefinementCtx): string {
  const scopes = value.split(/\s+/).filter(Boolean)
  const fit = scopes.every(scope => /^[!#-[\]-~]{1,200}$/.test(scope))
  if (fit && scopes.includes('openid')) return scopes.join(' ')
  ctx.addIssue({ code: 'custom' })
  return z.NEVER
}

function readDomains(value: string, ctx: z.RefinementCtx): string[] {
  const domains = value
    .split(',')
    .map(domain => domain.trim().toLowerCase())
    .filter(Boolean)
  if (domains.every(domain => /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}$/.test(domain)))
    return domains
  ctx.addIssue({ code: 'custom' })
  return z.NEVER
}

/** The role stands first: the name of a group may have a `=` in it, as those of LDAP have. */
function readGroupRoles(value: string, ctx: z.RefinementCtx): ProviderSettings['groupRoles'] {
  const pairs = value
    .split(';')
    .map(pair => pair.trim())
    .filter(Boolean)
    .map(pair => {
      const at = pair.indexOf('=')
      return { role: pair.slice(0, at).trim(), group: pair.slice(at + 1).trim() }
    })
  const parsed = z.array(z.object({ role: Role, group: z.string().min(1).max(500) })).safeParse(pairs)
  if (parsed.success) return parsed.data.toSorted((a, b) => roleRanks[b.role] - roleRanks[a.role])
  ctx.addIssue({ code: 'custom' })
  return z.NEVER
}
