// Tables of operators: who they are, how they sign in, what their keys may do, and the record of what they did.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, bytea } from './columns.ts'

/** People who sign in. Columns that better-auth asks for carry its names in code. */
export const operators = pgTable('operators', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  email: text().notNull().unique(),
  emailVerified: boolean('email_verified').notNull().default(false),
  image: text(),
  role: text().$type<'viewer' | 'operator' | 'admin'>().notNull().default('viewer'),
  tags: text().array(), // sees and changes only hosts with one of these; null: all
  twoFactorEnabled: boolean('two_factor_enabled').notNull().default(false),
  createdAt: at('created_at').notNull().defaultNow(),
  updatedAt: at('updated_at').notNull().defaultNow(),
})

/** Signed-in browsers. Of the token in their cookie only the SHA-256 is kept. */
export const operatorSessions = pgTable(
  'operator_sessions',
  {
    id: uuid().primaryKey(),
    userId: uuid('operator_id')
      .notNull()
      .references(() => operators.id, { onDelete: 'cascade' }),
    token: text().notNull().unique(),
    expiresAt: at('expires_at').notNull(),
    provedAt: at('proved_at').notNull().defaultNow(), // when the strongest factor of the account was shown last
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  table => [index('operator_sessions_operator').on(table.userId)],
)

/**
 * How an operator signs in: one row per way. `credential` is e-mail and password, of which a hash is kept; any other `providerId` is
 * the issuer of an identity provider, and `accountId` the subject there.
 */
export const operatorAccounts = pgTable(
  'operator_accounts',
  {
    id: uuid().primaryKey(),
    userId: uuid('operator_id')
      .notNull()
      .references(() => operators.id, { onDelete: 'cascade' }),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: at('access_token_expires_at'),
    refreshTokenExpiresAt: at('refresh_token_expires_at'),
    scope: text(),
    password: text(),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  table => [
    index('operator_accounts_operator').on(table.userId),
    uniqueIndex('operator_accounts_subject').on(table.providerId, table.accountId),
  ],
)

/** One-time values of the sign-in library. */
export const operatorVerifications = pgTable(
  'operator_verifications',
  {
    id: uuid().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: at('expires_at').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  table => [index('operator_verifications_identifier').on(table.identifier)],
)

/** Sign-in attempts by address, shared by all replicas. */
export const signInLimits = pgTable('sign_in_limits', {
  id: uuid().primaryKey(),
  key: text().notNull().unique(),
  count: integer().notNull(),
  lastRequest: bigint('last_request', { mode: 'number' }).notNull(),
})

/** Authenticator apps: the sealed secret, and SHA-256 hashes of recovery codes. At most one to an operator. */
export const operatorTwoFactors = pgTable('operator_two_factors', {
  id: uuid().primaryKey(),
  userId: uuid('operator_id')
    .notNull()
    .unique()
    .references(() => operators.id, { onDelete: 'cascade' }),
  secret: text().notNull(),
  backupCodes: text('backup_codes').notNull(), // a JSON array
  verified: boolean().notNull().default(true), // false: begun, and no code of it was seen yet
  failedVerificationCount: integer('failed_verification_count').notNull().default(0),
  lockedUntil: at('locked_until'),
  lastStep: integer('last_step'), // the thirty seconds whose code was used last: no code is good twice
})

/** Passkeys: the public half of a key pair that lives in an operator's device. */
export const operatorPasskeys = pgTable(
  'operator_passkeys',
  {
    id: uuid().primaryKey(),
    operatorId: uuid('operator_id')
      .notNull()
      .references(() => operators.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    credentialId: text('credential_id').notNull().unique(), // base64url
    publicKey: bytea('public_key').notNull(),
    counter: bigint({ mode: 'number' }).notNull(),
    transports: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    backedUp: boolean('backed_up').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    lastUsedAt: at('last_used_at'),
  },
  table => [index('operator_passkeys_operator').on(table.operatorId)],
)

/** Links that let a person make an account of a role that was chosen for them. Only the SHA-256 of the secret is kept. */
export const operatorInvitations = pgTable('operator_invitations', {
  id: uuid().primaryKey(),
  email: text().notNull(),
  role: text().$type<'viewer' | 'operator' | 'admin'>().notNull(),
  tags: text().array(),
  secretHash: text('secret_hash').notNull().unique(),
  createdBy: text('created_by').notNull(), // an operator's e-mail, or "admin command"
  createdAt: at('created_at').notNull().defaultNow(),
  expiresAt: at('expires_at').notNull(),
  acceptedAt: at('accepted_at'),
  revokedAt: at('revoked_at'),
})

/** API keys: `rmk_` and 32 random bytes; only the SHA-256 is kept. */
export const apiKeys = pgTable('api_keys', {
  id: uuid().primaryKey(),
  operatorId: uuid('operator_id')
    .notNull()
    .references(() => operators.id, { onDelete: 'cascade' }),
  name: text().notNull(),
  prefix: text().notNull(), // the first characters, to tell keys apart in a list
  hash: text().notNull().unique(),
  scopes: text()
    .array()
    .notNull()
    .default(sql`'{*}'`), // what the key may call, at most what its operator may: `*`, or such as `jobs:write`
  createdAt: at('created_at').notNull().defaultNow(),
  expiresAt: at('expires_at'),
  lastUsedAt: at('last_used_at'),
  revokedAt: at('revoked_at'),
})

/**
 * What was done, by whom, with what was before and after. Rows are only ever added: a trigger refuses everything else. Each holds
 * the hash of the row before it, so that a row that is changed or missing shows.
 */
export const auditEvents = pgTable(
  'audit_events',
  {
    number: bigint({ mode: 'number' }).primaryKey(), // 1, 2, 3 … without a hole
    at: at('at').notNull(),
    actorKind: text('actor_kind')
      .$type<'operator' | 'api key' | 'host' | 'admin command' | 'server' | 'nobody'>()
      .notNull(),
    actorId: text('actor_id'),
    actorName: text('actor_name').notNull(),
    address: text(),
    action: text().notNull(), // a procedure such as `hosts.remove`, or an event such as `enrolment refused`
    targetKind: text('target_kind'),
    targetId: text('target_id'),
    targetName: text('target_name'),
    hostIds: uuid('host_ids').array(), // the hosts it is about, for who may see only some; null: the installation as a whole
    before: jsonb().$type<Record<string, unknown>>(), // secrets are masked
    after: jsonb().$type<Record<string, unknown>>(),
    hash: bytea().notNull(), // SHA-256 over the hash before it and this row
  },
  table => [
    // Every list of it is the newest first of one key, or of a few: each is read from one of these, a page's worth at a time.
    index('audit_events_at').on(table.at, table.number),
    index('audit_events_target').on(table.targetId, table.at, table.number),
    index('audit_events_actor').on(sql`lower(${table.actorName}) collate "C"`, table.at, table.number),
    index('audit_events_action').on(sql`${table.action} collate "C"`, table.at, table.number),
  ],
)

/** The hosts that a row of the audit log is about, one by one, so that a host's rows are found in their order. Only ever added, too. */
export const auditEventHosts = pgTable(
  'audit_event_hosts',
  {
    hostId: uuid('host_id').notNull(),
    at: at('at').notNull(),
    number: bigint({ mode: 'number' }).notNull(),
  },
  table => [primaryKey({ columns: [table.hostId, table.at, table.number] })],
)

/** What strangers try again and again: the first has a row of its own, the others of its ten minutes are counted here until then. */
export const auditRepeats = pgTable('audit_repeats', {
  key: text().primaryKey(), // what is tried, and by whom
  action: text().notNull(),
  event: jsonb().$type<Record<string, unknown>>().notNull(), // the first of them
  count: integer().notNull().default(1),
  since: at('since').notNull().defaultNow(),
})
