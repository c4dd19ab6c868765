// Where drizzle-kit finds the tables and puts the migrations: `npm run db:generate` writes drizzle/ at the root.
import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/db/schema*.ts',
  out: '../../drizzle',
})
