// Repository addresses as fields of a form, and back.
import { backendOf } from '@restic-manager/contract/backends'
import type { BackendKind } from '@restic-manager/contract/repository'

/**
 * What a person fills in. `place`: the folder, or the whole REST or SFTP address. `bucket`: S3's with its folder, and of
 * the others the bucket, container or remote alone. `endpoint`: S3's.
 */
export type AddressFields = { kind: BackendKind; place: string; endpoint: string; bucket: string }

const withoutScheme = (value: string, scheme: string) =>
  value.startsWith(`${scheme}:`) ? value.slice(scheme.length + 1) : value

/** The address restic takes, from the fields. Pasting a whole address into a field works too. */
export function composeUrl({ kind, place, endpoint, bucket }: AddressFields): string {
  const entered = place.trim()
  switch (kind) {
    case 'local':
      return entered
    case 's3': {
      const server = withoutScheme(endpoint.trim(), 's3').replace(/\/+$/, '')
      return `s3:${server}/${bucket.trim().replace(/^\/+/, '')}`
    }
    case 'b2':
    case 'azure':
    case 'gs':
    case 'rclone': {
      const store = withoutScheme(bucket.trim(), kind)
      if (store.includes(':')) return `${kind}:${store}`
      if (entered !== '') return `${kind}:${store}:${entered}`
      // Of the first and the last, the whole bucket or remote has no path; the other two call it the root.
      return kind === 'b2' ? `b2:${store}` : `${kind}:${store}:${kind === 'rclone' ? '' : '/'}`
    }
    case 'rest':
    case 'sftp':
      return `${kind}:${withoutScheme(entered, kind)}`
  }
}

/** The fields of an address that is already in use. */
export function splitUrl(url: string): AddressFields {
  const kind = backendOf(url) ?? 'local'
  const empty = { kind, place: '', endpoint: '', bucket: '' }
  if (kind === 'local') return { ...empty, place: url }
  const rest = url.slice(kind.length + 1)
  if (kind === 'rest' || kind === 'sftp') return { ...empty, place: rest }
  if (kind === 's3') {
    const parts = /^((?:https?:\/\/)?[^/]+)\/?(.*)$/.exec(rest)
    return { ...empty, endpoint: parts?.[1] ?? rest, bucket: parts?.[2] ?? '' }
  }
  const [, bucket = '', place = ''] = /^([^:]*):?(.*)$/.exec(rest) ?? []
  return { ...empty, bucket, place }
}
