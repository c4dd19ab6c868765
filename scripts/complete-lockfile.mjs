// Names in package-lock.json the optional packages of other platforms that npm left out, so that `npm ci` accepts it.
// npm leaves them out when the registry in use does not carry them. They get no integrity: this machine never saw them.
// Run it after `npm install` has changed the lockfile: `node scripts/complete-lockfile.mjs`.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const systems = new Set([
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
])
const otherSystems = { windows: 'win32' }
const processors = new Set([
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
])
const otherProcessors = { 64: 'x64' }

/**
 * The entries that are missing: every optional dependency with an exact version that the lockfile does not resolve.
 * @param {{ packages: Record<string, any> }} lock
 * @returns {Record<string, object>} new entries by their place in node_modules
 */
export function missingEntries(lock) {
  const missing = {}
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const found = resolve(lock, path, name)
      if (found?.version === version || !/^\d/.test(version)) continue
      // Beside the one who asks when another version of it lies at the top.
      const place = `${found && path ? `${path}/` : ''}node_modules/${name}`
      missing[place] = { version, ...(entry.dev ? { dev: true } : {}), optional: true, ...platformOf(name) }
    }
  }
  return missing
}

function resolve(lock, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const found = lock.packages[`${folder ? `${folder}/` : ''}node_modules/${name}`]
    if (found || folder === '') return found
  }
}

/** Such packages carry their platform in their name: `…/binding-linux-arm64-musl`, `…/windows-64`. */
function platformOf(name) {
  const words = name.split('/').at(-1).split('-')
  const os = words.map(word => otherSystems[word] ?? word).find(word => systems.has(word))
  const cpu = words.map(word => otherProcessors[word] ?? word).find(word => processors.has(word))
  if (!os && cpu !== 'wasm32') throw new Error(`cannot tell the platform of ${name} from its name`)
  const libc = words.some(word => word.startsWith('musl')) ? 'musl' : 'glibc'
  return { ...(os && { os: [os] }), ...(cpu && { cpu: [cpu] }), ...(os === 'linux' && { libc: [libc] }) }
}

function main() {
  const file = fileURLToPath(new URL('../package-lock.json', import.meta.url))
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingEntries(lock)
  const entries = Object.entries({ ...lock.packages, ...missing })
  lock.packages = Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, 'en')))
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
  process.stderr.write(`${Object.keys(missing).length} entries added\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
