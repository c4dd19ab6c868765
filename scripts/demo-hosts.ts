// The three hosts of the demo and the files they live with.
import { randomBytes } from 'node:crypto'
import { appendFile, chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeFiles } from '@restic-manager/testkit/files'

export const demoHosts = [
  { name: 'atlas', files: 2_500, bytes: 120e6, about: 'documents, one folder', ends: 'succeeded' },
  {
    name: 'web-cms-01.example.net',
    files: 3_000,
    bytes: 120e6,
    about: 'a site whose files change',
    ends: 'succeeded',
  },
  { name: 'nas-lyon', files: 1_500, bytes: 80e6, about: 'two files nobody may read', ends: 'incomplete' },
] as const

export type DemoHost = (typeof demoHosts)[number] & {
  folder: string
  stateDir: string
  repositoryFolder: string
  hostId: string
  repositoryId: string
  password: string
}
/** As root even mode 000 can be read; an agent without these two capabilities reads as an ordinary user would. */
export const withoutRootsEyes = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--']

/** Makes one host's files, on nas-lyon with two that nobody may read. */
export async function makeHostFiles(host: DemoHost) {
  await mkdir(host.folder, { recursive: true })
  makeFiles(host.folder, {
    files: host.files,
    bytes: host.bytes,
    seed: demoHosts.findIndex(({ name }) => name === host.name) + 1,
  })
  if (host.name !== 'nas-lyon') return
  const closed = path.join(host.folder, 'accounts')
  await mkdir(closed)
  for (const name of ['payroll-2025.ods', 'payroll-2026.ods']) {
    await writeFile(path.join(closed, name), randomBytes(20_000))
    await chmod(path.join(closed, name), 0o000)
  }
}

/** Changes a few files and adds one, as a living host does. */
export async function changeFiles(host: DemoHost) {
  const logs = path.join(host.folder, 'logs')
  await mkdir(logs, { recursive: true })
  await appendFile(path.join(logs, 'access.log'), `${randomBytes(30_000).toString('hex')}\n`)
  await writeFile(path.join(logs, `upload-${Date.now()}.bin`), randomBytes(200_000))
}
