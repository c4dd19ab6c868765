// One run, six projects: what needs nothing, what needs PostgreSQL, the client, what needs restic, the page, and everything together.
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const postgres = './apps/server/src/testing-setup.ts'
const clientTests = 'packages/client/src/**/*.test.ts'
const endToEnd = 'apps/web/src/e2e/**/*.test.ts'
/** Start a server, other than what lies beside them: here they share one PostgreSQL instead of making their own. */
const withPostgres = [
  'packages/bench/src/checker/*.test.ts',
  'apps/agent/src/{admission,ca-pin,key-change,with-server}.test.ts',
]
/** Limits on waiting, far above what anything takes: the machine may be busy, and what a test waits for gives up before. */
const patience = { testTimeout: 300_000, hookTimeout: 120_000 }

export default defineConfig({
  test: {
    reporters: ['default', './scripts/closing-line.ts'],
    // Tests here mostly wait for other programs: two files more than there are processors have something to do meanwhile.
    // Projects run in the order of their names, in each the longest file first.
    maxWorkers: availableParallelism() + 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: [...withPostgres, clientTests, '**/node_modules/**'],
          ...patience,
        },
      },
      {
        test: {
          // Its agent lives beside the server in one process: what other files leave behind there must not reach it.
          name: 'client',
          include: [clientTests],
          globalSetup: [postgres],
          ...patience,
        },
      },
      {
        test: {
          name: 'server',
          include: ['apps/server/src/**/*.test.ts', ...withPostgres],
          globalSetup: [postgres],
          // Loading the server takes longer than most of its tests: once for each worker, not for each file.
          isolate: false,
          ...patience,
        },
      },
      {
        test: {
          name: 'agent',
          include: ['apps/agent/src/**/*.test.ts'],
          exclude: [...withPostgres, '**/node_modules/**'],
          isolate: false,
          ...patience,
        },
      },
      {
        test: {
          name: 'web',
          include: ['apps/web/src/**/*.test.{ts,tsx}'],
          exclude: [endToEnd, '**/node_modules/**'],
          ...patience,
        },
      },
      {
        test: {
          name: 'e2e',
          include: [endToEnd],
          globalSetup: [postgres],
          isolate: false,
          ...patience,
        },
      },
    ],
  },
})
