// The environment restic runs in, made from nothing: secrets travel here, never in argv.
import { backendOf, backends, type RepositoryAccess } from '@restic-manager/contract/repository'
import { homedir } from 'node:os'
import { capabilitiesOf } from './version.ts'

/** Where restic looks for ssh. The agent's own PATH is not trusted with it. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type Access = Pick<RepositoryAccess, 'url' | 'password' | 'username' | 'credential' | 'environment'>

/** What restic gets besides access to the repository. */
export function baseEnvironment(folders: { cache: string; temp: string }): Record<string, string> {
  return {
    PATH: SEARCH_PATH,
    HOME: homedir(),
    LANG: 'C.UTF-8',
    TMPDIR: folders.temp,
    RESTIC_CACHE_DIR: folders.cache,
    RESTIC_PROGRESS_FPS: '1',
  }
}

/** Access to a repository, as the given version of restic takes it. */
export function accessEnvironment(access: Access, version: string): Record<string, string> {
  const kind = backendOf(access.url)
  const env: Record<string, string> = {
    RESTIC_REPOSITORY: access.url,
    RESTIC_PASSWORD: access.password,
    ...allowedEnvironment(access),
  }
  const { username, credential } = access
  if (kind === 's3') {
    if (username !== undefined) env.AWS_ACCESS_KEY_ID = username
    if (credential !== undefined) env.AWS_SECRET_ACCESS_KEY = credential
  }
  if (kind === 'rest' && (username !== undefined || credential !== undefined)) {
    if (capabilitiesOf(version).restCredentials) {
      env.RESTIC_REST_USERNAME = username ?? ''
      env.RESTIC_REST_PASSWORD = credential ?? ''
    } else env.RESTIC_REPOSITORY = withUserinfo(access.url, username ?? '', credential ?? '')
  }
  return env
}

/** Values that must not be seen anywhere. A user name is none. */
export function secretsOf({ password, username = '', credential }: Access): string[] {
  if (credential === undefined) return [password]
  // As HTTP carries both, in one base64 word: neither of them can be seen in it.
  return [password, credential, `${username}:${credential}`]
}

/** What of the access a person may see with the command: names of secrets with their values masked. */
export function visibleEnvironment(access: Access, version: string): [name: string, value: string][] {
  const { RESTIC_REPOSITORY: _, ...env } = accessEnvironment(access, version)
  const open = allowedEnvironment(access)
  return Object.entries(env).map(([name, value]) => [name, Object.hasOwn(open, name) ? value : '••••••••'])
}

function allowedEnvironment(access: Access): Record<string, string> {
  const kind = backendOf(access.url)
  const names: readonly string[] = kind === undefined ? [] : backends[kind].environment
  return Object.fromEntries(Object.entries(access.environment ?? {}).filter(([name]) => names.includes(name)))
}

/** restic prints the whole address when it cannot parse it, so every mark that could confuse it is encoded. */
function withUserinfo(url: string, username: string, credential: string): string {
  return url.replace('://', `://${encodeURIComponent(username)}:${encodeURIComponent(credential)}@`)
}
