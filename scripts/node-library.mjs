// The one library that the pinned Node asks of the system and small systems lack: libatomic, fetched without root.
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fetchDebianProgram } from './debian-package.mjs'

const library = 'libatomic.so.1'
const hint = `Install it, then try again: the package is libatomic1 on Debian and Ubuntu, libatomic on Fedora and Red Hat.`
const debianFolders = { x64: 'usr/lib/x86_64-linux-gnu', arm64: 'usr/lib/aarch64-linux-gnu' }

/**
 * Whether it is for want of the library that a Node did not run.
 * @param {string} said
 */
export const lacksLibrary = said => said.includes(`${library}: cannot open shared object file`)

/**
 * Has the library in `folder` and lets every program find it that this process starts. Throws a sentence that says what to install.
 * @param {string} folder
 * @param {(sentence: string) => void} onNote
 */
export async function provideLibrary(folder, onNote) {
  if (!existsSync(join(folder, library))) {
    onNote(`Fetching ${library}, which Node needs and this system lacks ...`)
    await fetchLibrary(join(folder, library)).catch(error => {
      throw new Error(
        `Node needs ${library}. This system lacks it, and it cannot be had: ${error.message}. ${hint}`,
      )
    })
  }
  process.env.LD_LIBRARY_PATH = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
}

/** It appears whole. Of an old Debian, so that it fits the libc of newer ones. */
async function fetchLibrary(target) {
  const folder = debianFolders[process.arch]
  if (!folder) throw new Error(`Debian has none for ${process.arch}`)
  await mkdir(dirname(target), { recursive: true })
  const scratch = await mkdtemp(join(dirname(target), 'fetch-'))
  try {
    const wanted = { suite: 'bookworm', packageName: 'libatomic1', program: join(folder, library) }
    await fetchDebianProgram({ ...wanted, target: join(scratch, library), scratch })
    await rename(join(scratch, library), target)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/**
 * Puts a script at `link` that runs `program` with the library out of `folder`, of which it keeps a copy.
 * @param {{ link: string, program: string, folder: string }} where `program`: as seen from the folder of `link`
 */
export function writeNodeScript({ link, program, folder }) {
  const own = join(dirname(link), '..', '.lib')
  mkdirSync(own, { recursive: true })
  copyFileSync(join(folder, library), join(own, library))
  rmSync(link, { force: true })
  writeFileSync(
    link,
    `#!/bin/sh
# The pinned Node, with ${library}, which this system lacks. The next install writes it anew.
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="$here/../.lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/${program}" "$@"
`,
  )
  chmodSync(link, 0o755)
}
