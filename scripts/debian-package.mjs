// Fetches one program out of a Debian package, as any user: apt with lists and cache of its own, then dpkg -x.
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runProgram } from './run-program.mjs'

const keyrings = [
  '/usr/share/keyrings/debian-archive-keyring.pgp',
  '/usr/share/keyrings/debian-archive-keyring.gpg',
]

/**
 * Unpacks `program` of `packageName` from a Debian suite to `target`. apt checks the signatures as always. What lies in the packages
 * of `libraries` goes into the folder `target`.lib, to be named in LD_LIBRARY_PATH.
 * @param {{ suite: string, packageName: string, program: string, libraries?: string[], target: string, scratch: string }} wanted
 */
export async function fetchDebianProgram({ suite, packageName, program, libraries = [], target, scratch }) {
  const mirror = findMirror(await readAptSources())
  if (!mirror) throw new Error('this machine has no Debian mirror among its apt sources')
  for (const folder of ['lists/partial', 'cache/archives/partial', 'unpacked']) {
    await mkdir(join(scratch, folder), { recursive: true })
  }
  const keyring = mirror.signedBy ?? keyrings.find(existsSync)
  const signedBy = keyring ? ` [signed-by=${keyring}]` : ''
  await writeFile(join(scratch, 'sources.list'), `deb${signedBy} ${mirror.uri} ${suite} main\n`)

  const apt = args => run('apt-get', [...aptOptions(scratch), ...args], scratch)
  await apt(['update'])
  for (const name of [packageName, ...libraries]) {
    await apt(['download', name])
    const deb = (await readdir(scratch)).find(file => file.startsWith(`${name}_`) && file.endsWith('.deb'))
    if (!deb) throw new Error(`apt-get download left no package of ${name}`)
    await run('dpkg', ['-x', deb, 'unpacked'], scratch)
  }
  await copyFile(join(scratch, 'unpacked', program), target)
  if (libraries.length > 0) await copyLibraries(join(scratch, 'unpacked'), `${target}.lib`)
}

/** Copies them as what their links lead to, so that each has the name it is asked for by. */
async function copyLibraries(unpacked, folder) {
  await mkdir(folder, { recursive: true })
  for (const place of ['lib', 'usr/lib'].map(name => join(unpacked, name)).filter(existsSync)) {
    const files = await readdir(place, { recursive: true })
    for (const file of files.filter(name => /\.so\.\d[\d.]*$/.test(name)))
      await copyFile(join(place, file), join(folder, basename(file)))
  }
}

async function run(command, args, cwd) {
  const { ok, output } = await runProgram(command, args, { cwd, timeoutMs: 300_000 })
  if (ok) return
  const said = output.split('\n').find(line => /^[EW]:/.test(line)) ?? output.trim().slice(0, 200)
  throw new Error(`${command} failed: ${said || 'it said nothing'}`)
}

function aptOptions(scratch) {
  const options = {
    'Dir::Etc::sourcelist': join(scratch, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::preferencesparts': '-',
    'Dir::State': scratch,
    'Dir::State::lists': join(scratch, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(scratch, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '0',
    'Acquire::http::Timeout': '10',
    'Acquire::https::Timeout': '10',
    // Without it a mirror that cannot be reached is only a warning.
    'APT::Update::Error-Mode': 'any',
    // apt's own download user may not enter our folder.
    'APT::Sandbox::User': '',
  }
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

async function readAptSources() {
  const parts = '/etc/apt/sources.list.d'
  const names = await readdir(parts).catch(() => [])
  const files = ['/etc/apt/sources.list', ...[...names].sort().map(name => join(parts, name))]
  const read = async file => ({ file, text: await readFile(file, 'utf8').catch(() => '') })
  return Promise.all(files.filter(file => /\.(list|sources)$/.test(file)).map(read))
}

/**
 * The first plain Debian archive (not security, not updates) that the machine itself uses.
 * @param {{ file: string, text: string }[]} sources
 * @returns {{ uri: string, signedBy?: string } | undefined}
 */
export function findMirror(sources) {
  const entries = sources.flatMap(({ file, text }) =>
    file.endsWith('.sources') ? stanzas(text) : oneLiners(text),
  )
  const uri = entry =>
    entry.uris.find(address => /^[a-z+]+:.*\/debian\/?$/.test(address) && !address.startsWith('cdrom:'))
  const entry = entries.find(candidate => candidate.enabled && uri(candidate))
  if (!entry) return undefined
  return { uri: uri(entry), ...(entry.signedBy?.startsWith('/') ? { signedBy: entry.signedBy } : {}) }
}

function stanzas(text) {
  return text.split(/\n\s*\n/).map(stanza => {
    const field = name => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(stanza)?.[1]?.trim()
    const words = value => (value ?? '').split(/\s+/).filter(Boolean)
    return {
      enabled: field('Enabled') !== 'no' && words(field('Types')).includes('deb'),
      uris: words(field('URIs')),
      signedBy: field('Signed-By'),
    }
  })
}

function oneLiners(text) {
  return [...text.matchAll(/^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s/gm)].map(([, options = '', address]) => ({
    enabled: true,
    uris: [address],
    signedBy: /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1],
  }))
}
