// Operators on the wire: who may sign in, how, from where, and with which keys.
import { z } from 'zod'
import { Id } from './ids.ts'
import { Role } from './role.ts'
import { Name, text } from './scalars.ts'

/** An e-mail address of an operator, in lower case. */
export const Email = z.string().trim().toLowerCase().max(254).pipe(z.email('is not an e-mail address'))

/** Host tags an operator is limited to; null: all hosts. */
export const OperatorTags = z.array(Name).min(1).max(50).nullable()

const Password = text(1_000)

/** Changes one's own password. */
export const PasswordChangeRequest = z.strictObject({ password: Password })

/** A code of an authenticator app, or a recovery code. */
export const CodeRequest = z.strictObject({ code: text(100) })

/** A secret for an authenticator app: `address` for a QR code, `secret` to type in. It counts once a code of it was seen. */
export const SecondFactorBegun = z.object({ address: z.string(), secret: z.string() })

/** Recovery codes, each good once. Never shown again. */
export const RecoveryCodes = z.object({ codes: z.array(z.string()) })

/** What a browser made of the options it was given. `ticket` came with them. */
export const PasskeyCreateRequest = z.strictObject({
  name: Name,
  ticket: text(100),
  response: z.record(z.string().max(100), z.json()),
})
export const PasskeyRequest = z.strictObject({ passkeyId: Id })

/** How one's own account signs in. */
export const AccountView = z.object({
  hasPassword: z.boolean(),
  hasProvider: z.boolean(), // linked with the identity provider
  secondFactor: z.object({ recoveryCodesLeft: z.number() }).nullable(), // null: no authenticator app
  passkeys: z.array(
    z.object({ id: Id, name: z.string(), createdAt: z.date(), lastUsedAt: z.date().nullable() }),
  ),
})
export type AccountView = z.infer<typeof AccountView>

/** A signed-in browser. */
export const SessionView = z.object({
  id: Id,
  browser: z.string().nullable(), // what it says of itself
  address: z.string().nullable(),
  createdAt: z.date(),
  lastSeenAt: z.date(), // to a quarter of an hour
  isThis: z.boolean(),
})
export type SessionView = z.infer<typeof SessionView>
export const SessionRequest = z.strictObject({ sessionId: Id })

/** What an API key may call: everything its operator may, or parts of it. */
export const KeyScopes = z
  .array(z.string().regex(/^(\*|[a-zA-Z]{1,40}:(read|write))$/, 'is no scope such as jobs:read'))
  .min(1)
  .max(50)
export const KeyCreateRequest = z.strictObject({
  name: Name,
  scopes: KeyScopes,
  days: z.int().min(1).max(3_650).nullable(), // null: until it is revoked
})
/** The key itself: the answer is the only time it is seen. */
export const KeyCreated = z.object({ key: z.string() })
export const KeyRequest = z.strictObject({ keyId: Id })
/** An API key without the key. */
export const KeyView = z.object({
  id: Id,
  name: z.string(),
  prefix: z.string(),
  scopes: z.array(z.string()),
  createdAt: z.date(),
  expiresAt: z.date().nullable(),
  lastUsedAt: z.date().nullable(),
})
export type KeyView = z.infer<typeof KeyView>

/** An operator, as admins see them. */
export const UserView = z.object({
  id: Id,
  name: z.string(),
  email: z.string(),
  role: Role,
  tags: z.array(z.string()).nullable(),
  ways: z.array(z.enum(['password', 'code', 'passkey', 'provider'])),
  sessions: z.number(),
  lastSeenAt: z.date().nullable(),
  createdAt: z.date(),
})
export type UserView = z.infer<typeof UserView>

/** An invitation that nobody has taken up yet. */
export const InvitationView = z.object({
  id: Id,
  email: z.string(),
  role: Role,
  tags: z.array(z.string()).nullable(),
  createdBy: z.string(),
  expiresAt: z.date(),
})
export type InvitationView = z.infer<typeof InvitationView>

export const UsersView = z.object({ users: z.array(UserView), invitations: z.array(InvitationView) })
export const UserRequest = z.strictObject({ operatorId: Id })
export const UserUpdateRequest = z.strictObject({ operatorId: Id, role: Role, tags: OperatorTags })
export const InvitationCreateRequest = z.strictObject({ email: Email, role: Role, tags: OperatorTags })
/** The link ends with a secret that is never shown again. */
export const InvitationCreated = z.object({ link: z.string() })
export const InvitationRequest = z.strictObject({ invitationId: Id })
