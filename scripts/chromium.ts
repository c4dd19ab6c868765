// Sees to it that the browser tests have a Chromium: the system's own, Debian's package as root, else one from a package.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { probeChromium } from '@restic-manager/testkit/chromium'

const aptGet = '/usr/bin/apt-get'

/** Installs Debian's Chromium when there is none yet and root asks. Says what is missing when no browser can be had. */
export async function ensureChromium(note: (sentence: string) => void): Promise<void> {
  const mayInstall = process.getuid?.() === 0 && existsSync(aptGet)
  const found = await probeChromium({ packaged: !mayInstall })
  if ('path' in found) return
  if (mayInstall) {
    note('Installing Chromium for the browser tests …')
    await run(aptGet, ['update', '-q'])
    await run(aptGet, ['install', '-q', '-y', '--no-install-recommends', 'chromium'])
  }
  const now = await probeChromium()
  if ('missing' in now) note(`The browser tests are skipped: ${now.missing}`)
}

/** Runs a program to its end, its words on standard error. A failure shows in what is there afterwards. */
async function run(program: string, args: string[]): Promise<void> {
  const child = spawn(program, args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await Promise.race([once(child, 'exit'), once(child, 'error')])
}
