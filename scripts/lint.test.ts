// Shows that the import rules of .oxlintrc.json fire, by linting small offending files in a folder of their own.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const imports = 'eslint(no-restricted-imports)'
const environment = 'node(no-process-env)'
const globals = 'eslint(no-restricted-globals)'

/** Each row: the sentence, the file it is about, its source, and the rule that must fire (none: it must pass). */
const promises: readonly [title: string, file: string, source: string, rule?: string][] = [
  ['the contract may use zod', 'packages/contract/src/a1.ts', "import { z } from 'zod'\nexport const a = z"],
  ['the contract may use its own files', 'packages/contract/src/a2.ts', "export { a } from './a1.ts'"],
  ['the contract may not use Node', 'packages/contract/src/a3.ts', use('node:fs'), imports],
  ['the contract may not use other packages', 'packages/contract/src/a4.ts', use('superjson'), imports],
  ['the runtime may use Node and pino', 'packages/runtime/src/b1.ts', use('node:fs') + use('pino')],
  [
    'the runtime is free of the contract',
    'packages/runtime/src/b2.ts',
    use('@restic-manager/contract/job'),
    imports,
  ],

  [
    'the agent may take types of agent-api',
    'apps/agent/src/c1.ts',
    useType('@restic-manager/server/agent-api'),
  ],
  [
    'the agent may take types of join-api',
    'apps/agent/src/c2.ts',
    useType('@restic-manager/server/join-api'),
  ],
  [
    'the agent may not run agent-api',
    'apps/agent/src/c3.ts',
    use('@restic-manager/server/agent-api'),
    imports,
  ],
  [
    'the agent may not see operator-api',
    'apps/agent/src/c4.ts',
    useType('@restic-manager/server/operator-api'),
    imports,
  ],
  ['the agent may not start a server', 'apps/agent/src/c5.ts', use('@trpc/server'), imports],
  [
    'a job may use restic/ and telemetry',
    'apps/agent/src/jobs/c6.ts',
    use('../restic/run.ts') + use('../telemetry.ts'),
  ],
  ['a job does not know the socket', 'apps/agent/src/jobs/c7.ts', use('../link.ts'), imports],
  [
    'restic/ may use execa and the contract',
    'apps/agent/src/restic/c8.ts',
    use('execa') + use('@restic-manager/contract/job'),
  ],
  ['restic/ does not know jobs', 'apps/agent/src/restic/c9.ts', use('../jobs/backup.ts'), imports],
  [
    'restic/ does not know the runtime',
    'apps/agent/src/restic/c10.ts',
    use('@restic-manager/runtime/log'),
    imports,
  ],

  [
    'the page may take types of operator-api',
    'apps/web/src/d1.ts',
    useType('@restic-manager/server/operator-api'),
  ],
  [
    'the page may not run operator-api',
    'apps/web/src/d2.ts',
    use('@restic-manager/server/operator-api'),
    imports,
  ],
  [
    'the page may not see agent-api',
    'apps/web/src/d3.ts',
    useType('@restic-manager/server/agent-api'),
    imports,
  ],
  ['the page may not use Node', 'apps/web/src/d4.ts', use('node:path'), imports],
  ['the page may not use the runtime', 'apps/web/src/d5.ts', use('@restic-manager/runtime/log'), imports],
  ['a part does not know the pages', 'apps/web/src/parts/d6.ts', use('../pages/hosts.tsx'), imports],

  [
    'the client may take types of operator-api',
    'packages/client/src/i1.ts',
    useType('@restic-manager/server/operator-api'),
  ],
  [
    'the client may not run operator-api',
    'packages/client/src/i2.ts',
    use('@restic-manager/server/operator-api'),
    imports,
  ],
  [
    'the client may not see agent-api',
    'packages/client/src/i3.ts',
    useType('@restic-manager/server/agent-api'),
    imports,
  ],
  ['the client runs in a browser too', 'packages/client/src/i4.ts', use('node:path'), imports],
  ['the client may use the contract', 'packages/client/src/i5.ts', use('@restic-manager/contract/job')],
  [
    'an example reads the environment',
    'packages/client/examples/i6.ts',
    'export const key = process.env.RM_API_KEY',
  ],

  ['fleet may use db', 'apps/server/src/fleet/e1.ts', use('../db/schema.ts') + use('drizzle-orm')],
  ['fleet never imports tRPC', 'apps/server/src/fleet/e2.ts', useType('@trpc/server'), imports],
  ['fleet never imports ws', 'apps/server/src/fleet/e3.ts', use('ws'), imports],
  ['fleet never imports fastify', 'apps/server/src/fleet/e4.ts', use('fastify'), imports],
  ['fleet never imports http', 'apps/server/src/fleet/e5.ts', use('node:http'), imports],
  ['fleet never imports a router', 'apps/server/src/fleet/e6.ts', use('../agent-api/router.ts'), imports],
  [
    'agent-api may use fleet',
    'apps/server/src/agent-api/e7.ts',
    use('../fleet/jobs.ts') + use('@trpc/server'),
  ],
  ['agent-api holds no query', 'apps/server/src/agent-api/e8.ts', use('drizzle-orm'), imports],
  ['operator-api does not see tables', 'apps/server/src/operator-api/e9.ts', use('../db/schema.ts'), imports],
  ['join-api does not see tables', 'apps/server/src/join-api/e10.ts', use('../db/schema.ts'), imports],
  ['chores speak to fleet', 'apps/server/src/chores/e11.ts', use('../fleet/logs.ts')],
  ['chores do not call routers', 'apps/server/src/chores/e12.ts', use('../operator-api/router.ts'), imports],
  ['db does not know fleet', 'apps/server/src/db/e13.ts', use('../fleet/jobs.ts'), imports],
  [
    'the server does not know the agent',
    'apps/server/src/e14.ts',
    use('@restic-manager/agent/testing'),
    imports,
  ],

  [
    'the test kit stays out of programs',
    'apps/server/src/f1.ts',
    use('@restic-manager/testkit/until'),
    imports,
  ],
  ['testing.ts stays out of programs', 'apps/server/src/f2.ts', use('./testing.ts'), imports],
  [
    'a test may use the test kit',
    'apps/agent/src/f3.test.ts',
    use('@restic-manager/testkit/until') + use('@restic-manager/server/testing'),
  ],
  ['an e2e folder may use the test kit', 'apps/web/src/e2e/f4.ts', use('@restic-manager/testkit/until')],
  [
    'the test kit imports no app',
    'packages/testkit/src/f5.ts',
    use('@restic-manager/server/testing'),
    imports,
  ],
  [
    'packages are imported by name',
    'apps/server/src/f6.ts',
    use('../../../packages/contract/src/job.ts'),
    imports,
  ],

  [
    'the agent takes its steady time from timers.ts',
    'apps/agent/src/c9.ts',
    'export const at = performance.now()',
    globals,
  ],
  ['config.ts reads the environment', 'apps/server/src/config.ts', 'export const port = process.env.PORT'],
  [
    'nobody else reads the environment',
    'apps/server/src/g1.ts',
    'export const port = process.env.PORT',
    environment,
  ],
  ['nobody re-exports in bulk', 'apps/server/src/g2.ts', "export * from './g1.ts'", 'oxc(no-barrel-file)'],
  [
    'nobody gives up types',
    'apps/server/src/g3.ts',
    'export const a = (b: any) => b',
    'typescript(no-explicit-any)',
  ],
  ['files are kebab-case', 'apps/server/src/badName.ts', 'export const a = 1', 'unicorn(filename-case)'],
  [
    'imports make no circle',
    'apps/server/src/h1.ts',
    "import { b } from './h2.ts'\nexport const a = () => b",
    'import(no-cycle)',
  ],
  [
    'nor the other way round',
    'apps/server/src/h2.ts',
    "import { a } from './h1.ts'\nexport const b = () => a",
    'import(no-cycle)',
  ],
]

let folder: string
let fired: Map<string, Set<string>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rm-lint-'))
  await copyFile(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  for (const [, file, source] of promises) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), `${source}\n`)
  }
  fired = await lint(folder)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

describe('lint keeps these promises', () => {
  test.each(promises)('%s', (_title, file, _source, rule) => {
    expect([...(fired.get(file) ?? [])]).toEqual(rule === undefined ? [] : [rule])
  })
})

function use(specifier: string) {
  const name = specifier.replaceAll(/[^a-z]/g, '_')
  return `import * as _${name} from '${specifier}'\nexport const uses_${name} = _${name}\n`
}

function useType(specifier: string) {
  return `import type { A } from '${specifier}'\nexport type Uses = A\n`
}

/** Which rules fired in which file. */
async function lint(cwd: string) {
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint')
  const { stdout } = await promisify(execFile)(process.execPath, [oxlint, '--format', 'json'], { cwd }).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  )
  const report = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] }
  const byFile = new Map<string, Set<string>>()
  for (const { code, filename } of report.diagnostics) {
    byFile.set(filename, (byFile.get(filename) ?? new Set()).add(code))
  }
  return byFile
}
