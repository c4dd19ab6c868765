// Finds a good restic, or fetches one into .tools without root. Also fetches the programs that tests need.
// Run it as `node scripts/restic.mjs ensure 0.14.0 0.18.0 rest-server` (prints JSON) or `node scripts/restic.mjs find`.
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchDebianProgram } from './debian-package.mjs'
import { withLock } from './project-lock.mjs'
import { fetchRelease } from './restic-release.mjs'
import { runProgram } from './run-program.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const projectTools = join(root, '.tools')
const recommended = '0.18.0'
/** How long a failed fetch is remembered, so that a machine without network does not wait at every start. */
const rememberMs = 600_000

const debianRestic = { packageName: 'restic', program: 'usr/bin/restic' }

/**
 * What can be fetched: where it lies in .tools, what it must call itself, and the ways to get it in order.
 * `installed`: one that the machine has is as good.
 */
const tools = {
  '0.14.0': {
    label: 'restic 0.14.0',
    path: 'restic/0.14.0/restic',
    says: /^restic 0\.14\.0\b/,
    debian: { suite: 'bookworm', ...debianRestic },
  },
  '0.18.0': {
    label: 'restic 0.18.0',
    path: 'restic/0.18.0/restic',
    says: /^restic 0\.18\.0\b/,
    release: '0.18.0',
    debian: { suite: 'trixie', ...debianRestic },
  },
  'rest-server': {
    label: 'the restic REST server',
    path: 'rest-server/0.13.0/restic-rest-server',
    says: /rest-server 0\.13\./,
    versionArgs: ['--version'],
    debian: { suite: 'trixie', packageName: 'restic-rest-server', program: 'usr/bin/restic-rest-server' },
  },
  rclone: {
    label: 'rclone',
    path: 'rclone/1.60.1/rclone',
    says: /^rclone v1\.60\.1/,
    debian: { suite: 'bookworm', packageName: 'rclone', program: 'usr/bin/rclone' },
  },
  // The last Debian whose sshd is one program: newer ones look for further parts at fixed places.
  sshd: {
    label: 'the SSH server',
    path: 'sshd/9.2/sshd',
    installed: '/usr/sbin/sshd',
    says: /OpenSSH_/,
    versionArgs: ['-V'], // known or not, it says its version
    debian: {
      suite: 'bookworm',
      packageName: 'openssh-server',
      program: 'usr/sbin/sshd',
      libraries: ['libwrap0', 'libnsl2', 'libtirpc3'],
    },
  },
  pgbouncer: {
    label: 'PgBouncer',
    path: 'pgbouncer/1.18.0/pgbouncer',
    says: /^PgBouncer 1\.18\./,
    versionArgs: ['--version'],
    debian: {
      suite: 'bookworm',
      packageName: 'pgbouncer',
      program: 'usr/sbin/pgbouncer',
      libraries: ['libc-ares2', 'libevent-2.1-7'],
    },
  },
}

export const installHint =
  'Install restic 0.17 or newer so that `restic version` works (https://restic.readthedocs.io/en/stable/020_installation.html), then try again.'

/**
 * The restic to use. PATH wins when it is new enough, then our own copy, which is fetched when missing,
 * then an old one from PATH as `degraded`. Undefined when there is none; `onNote` hears why, in sentences.
 * @param {{ toolsFolder?: string, pathVariable?: string, onNote?: (sentence: string) => void }} [options]
 * @returns {Promise<{ path: string, version: string, quality: 'good' | 'degraded' } | undefined>}
 */
export async function findRestic({
  toolsFolder = projectTools,
  pathVariable = process.env.PATH,
  onNote = () => {},
} = {}) {
  const known = recall(toolsFolder, pathVariable)
  if (known) return known
  const keep = restic => remember(toolsFolder, pathVariable, { ...restic, quality: 'good' })
  const onPath = await resticOnPath(pathVariable)
  if (onPath && isAtLeast(onPath.version, [0, 17])) return keep(onPath)
  try {
    return await keep({ path: await ensureTool(recommended, { toolsFolder, onNote }), version: recommended })
  } catch (error) {
    onNote(error.message)
  }
  if (onPath && isAtLeast(onPath.version, [0, 14])) return { ...onPath, quality: 'degraded' }
  return undefined
}

/**
 * The restic to use, as `findRestic`, or an Error that says what to install.
 * @param {Parameters<typeof findRestic>[0]} [options]
 */
export async function ensureRestic(options) {
  const found = await findRestic(options)
  if (!found) throw new Error(installHint)
  return found
}

/**
 * The path of one tool in .tools, fetched when missing. Throws a sentence when it cannot be had.
 * @param {string} name
 * @param {{ toolsFolder?: string, onNote?: (sentence: string) => void }} [options]
 * @returns {Promise<string>}
 */
export async function ensureTool(name, { toolsFolder = projectTools, onNote = () => {} } = {}) {
  const tool = tools[name]
  if (!tool) throw new Error(`unknown tool '${name}'; known are ${Object.keys(tools).join(', ')}`)
  if (tool.installed && isExecutable(tool.installed)) return tool.installed
  const target = join(toolsFolder, tool.path)
  if (existsSync(target)) return target
  const failure = join(toolsFolder, 'failed', `${name}.json`)
  return withLock(join(toolsFolder, 'fetch.lock'), async () => {
    if (existsSync(target)) return target
    const earlier = readJson(failure)
    if (earlier && Date.now() - earlier.at < rememberMs) {
      throw new Error(
        `${earlier.reason} (seen ${new Date(earlier.at).toISOString()}; remove ${failure} to try again now)`,
      )
    }
    onNote(`Fetching ${tool.label} ...`)
    try {
      await fetchTool(tool, target, toolsFolder)
    } catch (error) {
      await writeJson(failure, { at: Date.now(), reason: `${tool.label} cannot be had: ${error.message}` })
      throw new Error(`${tool.label} cannot be had: ${error.message}`, { cause: error })
    }
    await rm(failure, { force: true })
    return target
  })
}

/** Each way in turn, into a scratch folder; the target appears whole and only after it has run. */
async function fetchTool(tool, target, toolsFolder) {
  await mkdir(dirname(target), { recursive: true })
  const scratch = await mkdtemp(join(toolsFolder, 'fetch-'))
  const candidate = join(scratch, 'program')
  const reasons = []
  const ways = [
    tool.release && (() => fetchRelease({ version: tool.release, target: candidate, scratch })),
    () => fetchDebianProgram({ ...tool.debian, target: candidate, scratch }),
  ]
  try {
    for (const way of ways.filter(Boolean)) {
      try {
        await way()
        await chmod(candidate, 0o755)
        const { output } = await runProgram(candidate, tool.versionArgs ?? ['version'], {
          timeoutMs: 20_000,
          env: { ...process.env, LD_LIBRARY_PATH: `${candidate}.lib` },
        })
        if (!tool.says.test(output))
          throw new Error(`the fetched program does not run here: ${output.trim().slice(0, 200)}`)
        if (existsSync(`${candidate}.lib`)) await rename(`${candidate}.lib`, `${target}.lib`)
        return await rename(candidate, target)
      } catch (error) {
        reasons.push(error.message)
      }
    }
    throw new Error(reasons.join('; '))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function resticOnPath(pathVariable = '') {
  for (const folder of pathVariable.split(delimiter).filter(Boolean)) {
    const path = join(folder, process.platform === 'win32' ? 'restic.exe' : 'restic')
    if (!isExecutable(path)) continue
    const { ok, output } = await runProgram(path, ['version'], { timeoutMs: 20_000 })
    const version = /^restic (\d+\.\d+\.\d+)/.exec(output)?.[1]
    return ok && version ? { path, version } : undefined
  }
  return undefined
}

/** Running `restic version` at every start costs more than everything else: a good one is known again by its file. */
function recall(toolsFolder, pathVariable) {
  const found = readJson(join(toolsFolder, 'restic', 'found.json'))
  if (found?.pathVariable !== pathVariable || found.file !== fingerprint(found.path)) return undefined
  const { path, version, quality } = found
  return { path, version, quality }
}

async function remember(toolsFolder, pathVariable, restic) {
  const found = { ...restic, file: fingerprint(restic.path), pathVariable }
  await writeJson(join(toolsFolder, 'restic', 'found.json'), found)
  return restic
}

function fingerprint(path) {
  const file = statSync(path, { throwIfNoEntry: false })
  return file ? `${file.size}:${file.mtimeMs}` : undefined
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function isAtLeast(version, [major, minor]) {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

async function writeJson(file, value) {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.${process.pid}`, JSON.stringify(value))
  await rename(`${file}.${process.pid}`, file)
}

async function main([command, ...names]) {
  const onNote = sentence => {
    process.stderr.write(`${sentence}\n`)
  }
  if (command === 'find') {
    const found = await findRestic({ onNote })
    process.stdout.write(`${JSON.stringify(found ?? null)}\n`)
    if (!found) onNote(installHint)
    process.exitCode = found ? 0 : 1
  } else if (command === 'ensure' && names.length > 0) {
    const paths = {}
    for (const name of names) {
      paths[name] = await ensureTool(name, { onNote }).catch(error => {
        onNote(error.message)
        return null
      })
    }
    process.stdout.write(`${JSON.stringify(paths)}\n`)
  } else {
    onNote(`usage: node scripts/restic.mjs find | ensure NAME...   (names: ${Object.keys(tools).join(', ')})`)
    process.exitCode = 2
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
