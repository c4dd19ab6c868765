// The table of the secrets of repositories.
import { pgTable, text, unique, uuid } from 'drizzle-orm/pg-core'
import { at } from './columns.ts'
import { repositories } from './schema.ts'

/** Secrets of a repository, sealed. `password` is restic's; `everyday` and `admin` are the backend's. */
export const credentials = pgTable(
  'credentials',
  {
    id: uuid().primaryKey(),
    repositoryId: uuid('repository_id')
      .notNull()
      .references(() => repositories.id, { onDelete: 'cascade' }),
    purpose: text().$type<'password' | 'everyday' | 'admin'>().notNull(),
    sealed: text().notNull(),
    /** Of an rclone section, the type of its remote, which is no secret. Null: it is none, or was sealed before this was kept. */
    remoteType: text('remote_type'),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  table => [unique('credentials_purpose').on(table.repositoryId, table.purpose)],
)
