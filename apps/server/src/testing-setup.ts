// vitest's global set-up of the server's tests: PostgreSQL once for the run, its template ready to be cloned.
import type { TestProject } from 'vitest/node'
import { startTestPostgres, type TestPostgres } from './testing-postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestPostgres
  }
}

export default async function setup(project: TestProject) {
  const { stop, url, template } = await startTestPostgres()
  project.provide('postgres', { url, template })
  return stop
}
