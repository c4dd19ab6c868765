// The pieces of the bootstrap that decide something: which mirror, which restic, who holds the lock, when to install.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findMirror } from './debian-package.mjs'
import { lacksLibrary, writeNodeScript } from './node-library.mjs'
import { withLock } from './project-lock.mjs'
import { ensureRestic, findRestic, installHint } from './restic.mjs'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rm-bootstrap-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

describe('which restic', () => {
  test('one on the PATH from 0.17 on is used, and known again without running it', async () => {
    const pathVariable = await fakeRestic('0.17.1')
    const found = { path: join(pathVariable, 'restic'), version: '0.17.1', quality: 'good' }
    expect(await findRestic({ toolsFolder: folder, pathVariable })).toEqual(found)
    const runs = await readFile(join(pathVariable, 'runs'), 'utf8')
    expect(await findRestic({ toolsFolder: folder, pathVariable })).toEqual(found)
    expect(await readFile(join(pathVariable, 'runs'), 'utf8')).toBe(runs)
  })

  test('one that was replaced is looked at again', async () => {
    const pathVariable = await fakeRestic('0.17.1')
    await findRestic({ toolsFolder: folder, pathVariable })
    await fakeRestic('0.18.10')
    expect(await findRestic({ toolsFolder: folder, pathVariable })).toMatchObject({ version: '0.18.10' })
  })

  test('an old one is degraded where no newer can be fetched, and a failed fetch is remembered', async () => {
    await fetchFailed()
    const notes: string[] = []
    const pathVariable = await fakeRestic('0.14.0')
    const found = await findRestic({ toolsFolder: folder, pathVariable, onNote: note => notes.push(note) })
    expect(found).toMatchObject({ version: '0.14.0', quality: 'degraded' })
    expect(notes).toEqual([
      expect.stringMatching(/^no way to it \(seen .*; remove .*0\.18\.0\.json to try again now\)$/),
    ])
  })

  test('one that is too old is none, and a sentence says what to install', async () => {
    await fetchFailed()
    const pathVariable = await fakeRestic('0.13.1')
    await expect(ensureRestic({ toolsFolder: folder, pathVariable })).rejects.toThrow(installHint)
  })

  /** A folder for the PATH with a restic that says its version and counts its runs. */
  async function fakeRestic(version: string) {
    const bin = join(folder, 'bin')
    await mkdir(bin, { recursive: true })
    await writeFile(
      join(bin, 'restic'),
      `#!/bin/sh\necho run >> '${bin}/runs'\necho 'restic ${version} compiled with go'\n`,
    )
    await chmod(join(bin, 'restic'), 0o755)
    return bin
  }

  async function fetchFailed() {
    await mkdir(join(folder, 'failed'))
    await writeFile(
      join(folder, 'failed', '0.18.0.json'),
      JSON.stringify({ at: Date.now(), reason: 'no way to it' }),
    )
  }
})

describe('which Debian mirror', () => {
  const mirror = 'http://mirror.example/debian'

  test('the one of a deb822 file, with its own key ring', () => {
    const text = [
      'Types: deb\nURIs: http://security.example/debian-security\nSuites: trixie-security\nComponents: main',
      `Types: deb\n# a comment\nURIs: ${mirror}\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/own.pgp`,
    ].join('\n\n')
    expect(findMirror([{ file: 'debian.sources', text }])).toEqual({
      uri: mirror,
      signedBy: '/usr/share/keyrings/own.pgp',
    })
  })

  test('the one of a sources.list', () => {
    const text = `# deb http://old.example/debian sid main\ndeb [arch=amd64 signed-by=/k.gpg] ${mirror} bookworm main\n`
    expect(findMirror([{ file: 'sources.list', text }])).toEqual({ uri: mirror, signedBy: '/k.gpg' })
  })

  test('none where there is only another distribution, a disabled entry or a disc', () => {
    const sources = [
      {
        file: 'a.list',
        text: 'deb http://archive.example/ubuntu noble main\ndeb cdrom:[Debian]/debian trixie main\n',
      },
      {
        file: 'b.sources',
        text: `Types: deb\nEnabled: no\nURIs: ${mirror}\nSuites: trixie\nComponents: main`,
      },
    ]
    expect(findMirror(sources)).toBeUndefined()
  })
})

describe('the lock', () => {
  test('lets one in at a time', async () => {
    const file = join(folder, 'lock')
    let inside = 0
    const most = await Promise.all(
      Array.from({ length: 5 }, () =>
        withLock(file, async () => {
          inside += 1
          await new Promise(setImmediate)
          const seen = inside
          inside -= 1
          return seen
        }),
      ),
    )
    expect(most).toEqual([1, 1, 1, 1, 1])
  })

  test('of a process that died is taken over', async () => {
    const file = join(folder, 'lock')
    const dead = spawn(process.execPath, ['--eval', ''])
    await once(dead, 'exit')
    await writeFile(file, String(dead.pid))
    expect(await withLock(file, async () => 'in')).toBe('in')
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })
})

describe('a Node that asks for a library the system lacks', () => {
  test('is told from one that does not run for another reason', () => {
    const said =
      'node: error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file or directory'
    expect(lacksLibrary(said)).toBe(true)
    expect(lacksLibrary('node: cannot execute binary file: Exec format error')).toBe(false)
  })

  test('is run with it from wherever the checkout lies, and with what else the library path holds', async () => {
    await mkdir(join(folder, 'node_modules', '.bin'), { recursive: true })
    await writeFile(join(folder, 'libatomic.so.1'), 'a library')
    const program = join(folder, 'node_modules', 'node')
    await writeFile(program, '#!/bin/sh\necho "$LD_LIBRARY_PATH" "$@"\n', { mode: 0o755 })
    const link = join(folder, 'node_modules', '.bin', 'node')
    writeNodeScript({ link, program: '../node', folder })
    const moved = `${folder}-moved`
    await rename(folder, moved)
    try {
      const env = { PATH: `${join(moved, 'node_modules', '.bin')}:/usr/bin:/bin`, LD_LIBRARY_PATH: '/else' }
      const { stdout } = await promisify(execFile)('node', ['one', 'two words'], { env, cwd: '/' })
      const [path = '', ...args] = stdout.trim().split(' ')
      const [library = '', other] = path.split(':')
      expect(await readFile(join(library, 'libatomic.so.1'), 'utf8')).toBe('a library')
      expect([other, ...args]).toEqual(['/else', 'one', 'two', 'words'])
    } finally {
      await rm(moved, { recursive: true })
    }
  })
})

test('a checkout that is complete costs nothing and says nothing', async () => {
  const bootstrap = join(import.meta.dirname, 'bootstrap.mjs')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [bootstrap])
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' })
})
