// Repository addresses as fields of a form, and back.
import { backendOf, type BackendKind } from '@restic-manager/contract/repository'

/** What a person fills in. `place`: folder, REST address or SFTP address; S3 has endpoint and bucket with folder. */
export type AddressFields = { kind: BackendKind; place: string; endpoint: string; bucket: string }

const withoutScheme = (value: string, scheme: string) =>
  value.startsWith(`${scheme}:`) ? value.slice(scheme.length + 1) : value

/** The address restic takes, from the fields. Pasting a whole address into a field works too. */
export function composeUrl({ kind, place, endpoint, bucket }: AddressFields): string {
  const entered = place.trim()
  if (kind === 'local') return entered
  if (kind === 's3') {
    const server = withoutScheme(endpoint.trim(), 's3').replace(/\/+$/, '')
    return `s3:${server}/${bucket.trim().replace(/^\/+/, '')}`
  }
  return `${kind}:${withoutScheme(entered, kind)}`
}

/** The fields of an address that is already in use. */
export function splitUrl(url: string): AddressFields {
  const kind = backendOf(url) ?? 'local'
  const empty = { kind, place: '', endpoint: '', bucket: '' }
  if (kind === 'local') return { ...empty, place: url }
  const rest = url.slice(kind.length + 1)
  if (kind !== 's3') return { ...empty, place: rest }
  const parts = /^((?:https?:\/\/)?[^/]+)\/?(.*)$/.exec(rest)
  return { ...empty, endpoint: parts?.[1] ?? rest, bucket: parts?.[2] ?? '' }
}
