// What others could slip in: install scripts, loose pins, and workflows that may do more than they need.
import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
type Package = {
  hasInstallScript?: boolean
  dev?: boolean
  optional?: boolean
  version?: string
  integrity?: string
  link?: boolean
  resolved?: string
}
const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> }
const manifest = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> }
const nameOf = (place: string) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
const installed = Object.entries(lock.packages).filter(([place]) => place.includes('node_modules/'))

test('no package runs a script when it is installed that nobody decided about', () => {
  const wanting = installed
    .filter(([, each]) => each.hasInstallScript === true)
    .map(([place]) => nameOf(place))
  expect(wanting.filter(name => !Object.hasOwn(manifest.allowScripts, name))).toEqual([])
  expect(wanting.length).toBeGreaterThan(0)
})

test('each package that is shipped is held by its hash, and of the tools only those of other platforms are not', () => {
  const isForeignTool = ({ dev, optional }: Package) => dev === true && optional === true
  const loose = installed.filter(
    ([, each]) => each.link !== true && each.integrity === undefined && !isForeignTool(each),
  )
  expect(loose.map(([place]) => place)).toEqual([])
})

test('what we ask for directly is one version, never a range', () => {
  const loose = globSync(['package.json', '{apps,packages}/*/package.json'], { cwd: root }).flatMap(file => {
    const {
      dependencies = {},
      devDependencies = {},
      optionalDependencies = {},
    } = JSON.parse(read(file)) as Record<string, Record<string, string>>
    return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
      .map(([name, version]) => `${file}: ${name} ${version}`)
  })
  expect(loose).toEqual([])
})

test('workflows may read the repository and no more unless a job says so, and use actions of one version or commit', () => {
  const workflows = globSync('.github/workflows/*.yml', { cwd: root })
  expect(workflows.length).toBeGreaterThan(0)
  for (const file of workflows) {
    const text = read(file)
    expect(text, file).toMatch(/^permissions:\n {2}contents: read$/m)
    expect(text, file).not.toMatch(
      /pull_request_target|write-all|\$\{\{ *github\.event\.(?:issue|pull_request|comment|head_commit)/,
    )
    const used = [...text.matchAll(/uses: *(\S+)/g)].map(([, action]) => action)
    expect(
      used.filter(action => !/^[\w.-]+\/[\w./-]+@(?:v\d+(?:\.\d+)*|[0-9a-f]{40})$/.test(action ?? '')),
    ).toEqual([])
    // A token that stays in .git could be read by whatever a later step runs.
    const checkouts = text.split('uses: actions/checkout@').slice(1)
    expect(
      checkouts.filter(each => !/^[^-]*persist-credentials: false/.test(each)),
      file,
    ).toEqual([])
  }
})

/** Where the machine's npm is too old to make one, the set-up has fetched another. */
const fetchedNpm = join(root, '.tools/npm/node_modules/npm/bin/npm-cli.js')

test('the bill of materials is made without a network, and names what is shipped', async () => {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--offline']
  const [npm, ...before] = existsSync(fetchedNpm) ? [process.execPath, fetchedNpm] : ['npm']
  const { stdout } = await promisify(execFile)(npm, [...before, ...args], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  })
  const bill = JSON.parse(stdout) as { bomFormat: string; components: { name: string; version: string }[] }
  expect(bill.bomFormat).toBe('CycloneDX')
  const names = bill.components.map(({ name }) => name)
  for (const name of ['fastify', 'ws', 'better-auth', 'zod', 'execa']) expect(names).toContain(name)
  // As the workflow makes it.
  expect(read('.github/workflows/ci.yml')).toContain(`npm ${args.join(' ')} `)
})
