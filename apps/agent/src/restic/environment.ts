// The environment restic runs in, made from nothing: secrets travel here, never in argv.
import {
  rcloneEnvironment,
  rcloneRemoteOf,
  rcloneSecrets,
  readRcloneSection,
} from '@restic-manager/contract/rclone'
import { backendOf, backends, isSasToken } from '@restic-manager/contract/backends'
import { readGoogleKey, type RepositoryAccess } from '@restic-manager/contract/repository'
import { homedir } from 'node:os'
import { delimiter } from 'node:path'
import { capabilitiesOf } from './version.ts'

/** Where restic looks for ssh and rclone. The agent's own PATH is not trusted with it. */
const SEARCH_PATHS: Partial<Record<NodeJS.Platform, string>> = {
  darwin: '/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  win32: 'C:\\Windows\\System32\\OpenSSH;C:\\Windows\\System32;C:\\Windows;C:\\Program Files\\rclone',
}
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const MASK = '••••••••'

export type Access = Pick<RepositoryAccess, 'url' | 'password' | 'username' | 'credential' | 'environment'>

/** `programs`: where the owner of the host wants ssh and rclone to be looked for first. */
export type Folders = { cache: string; temp: string; programs?: string | undefined }

/** What restic gets besides access to the repository. */
export function baseEnvironment(
  { cache, temp, programs }: Folders,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const path = SEARCH_PATHS[platform] ?? SEARCH_PATH
  return {
    PATH: programs === undefined ? path : `${programs}${delimiter}${path}`,
    HOME: homedir(),
    LANG: 'C.UTF-8',
    TMPDIR: temp,
    // Windows looks for these instead.
    ...(platform === 'win32' ? { TEMP: temp, TMP: temp } : {}),
    RESTIC_CACHE_DIR: cache,
    RESTIC_PROGRESS_FPS: '1',
  }
}

/** Access to a repository, as the given version of restic takes it. `keyFile`: where the text of `keyFileText` lies. */
export function accessEnvironment(access: Access, version: string, keyFile?: string): Record<string, string> {
  const { username, credential } = access
  return {
    RESTIC_REPOSITORY: access.url,
    RESTIC_PASSWORD: access.password,
    ...openEnvironment(access),
    ...credentialEnvironment(access, version),
    ...(username !== undefined && backendOf(access.url) === 'gs' ? { GOOGLE_PROJECT_ID: username } : {}),
    ...(credential !== undefined && keyFile !== undefined ? { GOOGLE_APPLICATION_CREDENTIALS: keyFile } : {}),
  }
}

/** The secret of a store that takes it only as a file. Undefined: none, or none that may be used. */
export function keyFileText({ url, credential }: Access): string | undefined {
  if (backendOf(url) !== 'gs' || credential === undefined) return undefined
  return readGoogleKey(credential) === undefined ? undefined : credential
}

function credentialEnvironment(access: Access, version: string): Record<string, string> {
  const { url, username, credential } = access
  switch (backendOf(url)) {
    case 's3':
      return named({ AWS_ACCESS_KEY_ID: username, AWS_SECRET_ACCESS_KEY: credential })
    case 'b2':
      return named({ B2_ACCOUNT_ID: username, B2_ACCOUNT_KEY: credential })
    case 'azure':
      return named({
        AZURE_ACCOUNT_NAME: username,
        [isSasToken(credential ?? '') ? 'AZURE_ACCOUNT_SAS' : 'AZURE_ACCOUNT_KEY']: credential,
      })
    case 'rclone':
      return rcloneAccess(url, credential)
    case 'rest':
      if (username === undefined && credential === undefined) return {}
      return capabilitiesOf(version).restCredentials
        ? { RESTIC_REST_USERNAME: username ?? '', RESTIC_REST_PASSWORD: credential ?? '' }
        : { RESTIC_REPOSITORY: withUserinfo(url, username ?? '', credential ?? '') }
    default:
      return {}
  }
}

/** A remote that was sent is the only one there is: the configuration of this host is not read then. */
function rcloneAccess(url: string, credential: string | undefined): Record<string, string> {
  const name = rcloneRemoteOf(url)
  if (name === undefined || credential === undefined) return {}
  const remote = readRcloneSection(credential)
  return {
    RCLONE_CONFIG: process.platform === 'win32' ? 'NUL' : '/dev/null',
    ...('complaint' in remote ? {} : rcloneEnvironment(name, remote)),
  }
}

/** Values that must not be seen anywhere. A user name is none. */
export function secretsOf({ url, password, username = '', credential }: Access): string[] {
  if (credential === undefined) return [password]
  switch (backendOf(url)) {
    case 'gs':
      return [password, ...jsonSecrets(credential)]
    case 'rclone': {
      const remote = readRcloneSection(credential)
      const values = 'complaint' in remote ? [credential] : rcloneSecrets(remote)
      return [password, ...values, ...values.flatMap(jsonSecrets)]
    }
    case 'azure': {
      const signature = new URLSearchParams(credential).get('sig')
      return [password, credential, ...(signature === null ? [] : [signature])]
    }
    default:
      // As HTTP carries both, in one base64 word: neither of them can be seen in it.
      return [password, credential, `${username}:${credential}`]
  }
}

/** What of the access a person may see with the command: names of secrets with their values masked. */
export function visibleEnvironment(access: Access, version: string): [name: string, value: string][] {
  const keyFile = keyFileText(access) === undefined ? undefined : MASK
  const { RESTIC_REPOSITORY: _, ...env } = accessEnvironment(access, version, keyFile)
  const open = openEnvironment(access)
  return Object.entries(env).map(([name, value]) => [name, Object.hasOwn(open, name) ? value : MASK])
}

/** What is no secret: of the names that were sent, those the backend may have. */
function openEnvironment(access: Access): Record<string, string> {
  const kind = backendOf(access.url)
  const names: readonly string[] = kind === undefined ? [] : backends[kind].environment
  const env = Object.fromEntries(
    Object.entries(access.environment ?? {}).filter(([name]) => names.includes(name)),
  )
  const authorities = env['RESTIC_CACERT']
  // An old restic does not know the name, but the library it is made with knows this one.
  return authorities === undefined ? env : { ...env, SSL_CERT_FILE: authorities }
}

const named = (values: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )

const secretNames = [
  'private_key',
  'private_key_id',
  'client_secret',
  'access_token',
  'refresh_token',
  'id_token',
]

/** The secrets in a key or token that is JSON; the text itself is one too when they cannot be told apart. */
function jsonSecrets(text: string): string[] {
  try {
    const values = Object(JSON.parse(text)) as Record<string, unknown>
    return secretNames.flatMap(name => (typeof values[name] === 'string' ? [values[name]] : []))
  } catch {
    return [text]
  }
}

/** restic prints the whole address when it cannot parse it, so every mark that could confuse it is encoded. */
function withUserinfo(url: string, username: string, credential: string): string {
  return url.replace('://', `://${encodeURIComponent(username)}:${encodeURIComponent(credential)}@`)
}
