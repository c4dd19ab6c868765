// Remotes of rclone: which kinds may be used, and which of their keys. Some keys of rclone run programs; none of those is here.

type Remote = { keys: readonly string[]; secrets: readonly string[] }

const oauth = { keys: ['client_id'], secrets: ['client_secret', 'token'] }

/**
 * What a remote of each type may say. A type or key that is not listed never reaches rclone: wrapping types name
 * further remotes, and keys such as `ssh` or `bearer_token_command` name programs.
 */
export const rcloneTypes: Readonly<Record<string, Remote>> = {
  local: { keys: [], secrets: [] },
  azureblob: { keys: ['account', 'endpoint', 'access_tier'], secrets: ['key', 'sas_url'] },
  b2: { keys: ['account', 'endpoint', 'hard_delete'], secrets: ['key'] },
  box: {
    keys: [...oauth.keys, 'box_sub_type', 'root_folder_id'],
    secrets: [...oauth.secrets, 'access_token'],
  },
  drive: {
    keys: [...oauth.keys, 'scope', 'root_folder_id', 'team_drive', 'impersonate', 'use_trash'],
    secrets: [...oauth.secrets, 'service_account_credentials'],
  },
  dropbox: { keys: [...oauth.keys, 'impersonate'], secrets: oauth.secrets },
  ftp: { keys: ['host', 'user', 'port', 'tls', 'explicit_tls', 'disable_epsv'], secrets: ['pass'] },
  'google cloud storage': {
    keys: [...oauth.keys, 'project_number', 'location', 'storage_class', 'bucket_policy_only', 'endpoint'],
    secrets: [...oauth.secrets, 'service_account_credentials'],
  },
  koofr: { keys: ['provider', 'endpoint', 'mountid', 'user'], secrets: ['password'] },
  onedrive: { keys: [...oauth.keys, 'drive_id', 'drive_type', 'region'], secrets: oauth.secrets },
  pcloud: { keys: [...oauth.keys, 'hostname', 'root_folder_id'], secrets: oauth.secrets },
  s3: {
    keys: [
      'provider',
      'access_key_id',
      'region',
      'endpoint',
      'location_constraint',
      'acl',
      'storage_class',
      'server_side_encryption',
      'force_path_style',
      'no_check_bucket',
    ],
    secrets: ['secret_access_key', 'session_token'],
  },
  sftp: {
    keys: ['host', 'user', 'port', 'key_file', 'known_hosts_file', 'shell_type', 'disable_hashcheck'],
    secrets: ['pass', 'key_pem', 'key_file_pass'],
  },
  smb: { keys: ['host', 'user', 'port', 'domain'], secrets: ['pass'] },
  swift: {
    keys: [
      'user',
      'user_id',
      'auth',
      'auth_version',
      'domain',
      'tenant',
      'tenant_id',
      'tenant_domain',
      'region',
      'storage_url',
      'endpoint_type',
      'application_credential_id',
      'application_credential_name',
    ],
    secrets: ['key', 'auth_token', 'application_credential_secret'],
  },
  webdav: { keys: ['url', 'vendor', 'user'], secrets: ['pass', 'bearer_token'] },
}

/** A remote's settings as rclone keeps them: its type and its other keys. */
export type RcloneRemote = { type: string; values: Readonly<Record<string, string>> }

/** Names that are a remote and nothing else: no flag, no option, no remote made on the fly, and one spelling as environment. */
export const rcloneName = /^[A-Za-z][A-Za-z0-9_]{0,39}$/

/** The remote in an address such as `rclone:backup:folder`; undefined when it names none that may be used. */
export function rcloneRemoteOf(url: string): string | undefined {
  const name = /^rclone:([^:]*):/.exec(url)?.[1]
  return name !== undefined && rcloneName.test(name) ? name : undefined
}

/**
 * Reads one section of an rclone configuration, `key = value` lines with or without the `[name]` above them. Answers
 * a sentence when it cannot be used. Both ends read it with this, so nothing passes one that the other refuses.
 */
export function readRcloneSection(section: string): RcloneRemote | { complaint: string } {
  const values = Object.create(null) as Record<string, string> // a key may have any name, `__proto__` too
  let headers = 0
  for (const line of section.split(/\r?\n/).map(each => each.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    if (/^\[.*\]$/.test(line)) {
      headers += 1
      if (headers > 1 || Object.keys(values).length > 0)
        return { complaint: 'Paste one section of the rclone configuration: the one of this remote.' }
      continue
    }
    const [, key, value] = /^([A-Za-z0-9_]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined)
      return { complaint: 'Each line of the rclone section must look like key = value.' }
    if (Object.hasOwn(values, key)) return { complaint: `The rclone section says "${key}" twice.` }
    if (value !== '') values[key] = value
  }
  const { type, ...rest } = values
  if (type === undefined)
    return { complaint: 'The rclone section needs a line that says its type, such as type = webdav.' }
  const remote = Object.hasOwn(rcloneTypes, type) ? rcloneTypes[type] : undefined
  if (remote === undefined)
    return {
      complaint: `An rclone remote of type "${type}" may not be used. Accepted: ${Object.keys(rcloneTypes).join(', ')}.`,
    }
  const stray = Object.keys(rest).find(key => !remote.keys.includes(key) && !remote.secrets.includes(key))
  if (stray !== undefined)
    return {
      complaint: `"${stray}" may not be set for an rclone remote of type "${type}". Accepted: ${[...remote.keys, ...remote.secrets].join(', ') || 'nothing else'}.`,
    }
  return { type, values: rest }
}

/** The values of a remote that nobody may see. */
export function rcloneSecrets({ type, values }: RcloneRemote): string[] {
  const secrets = rcloneTypes[type]?.secrets ?? []
  return secrets.flatMap(key => values[key] ?? [])
}

/** The environment that tells rclone about this one remote, and of no other. */
export function rcloneEnvironment(name: string, { type, values }: RcloneRemote): Record<string, string> {
  const prefix = `RCLONE_CONFIG_${name.toUpperCase()}_`
  return Object.fromEntries(
    Object.entries({ type, ...values }).map(([key, value]) => [`${prefix}${key.toUpperCase()}`, value]),
  )
}
