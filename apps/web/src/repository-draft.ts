// What the repository form holds, and what becomes of it on the way to the server.
import type { Id } from '@restic-manager/contract/ids'
import { localFolderOf } from '@restic-manager/contract/policy'
import { type AskedAccess, remoteTypeOf } from '@restic-manager/contract/policy-rule'
import { backends } from '@restic-manager/contract/backends'
import { RepositoryCreateRequest } from '@restic-manager/contract/requests'
import type { HostView, RepositoryView } from '@restic-manager/contract/views'
import { backendForms } from './backend-words.ts'
import { type AddressFields, composeUrl, splitUrl } from './repository-address.ts'

/** `password` empty: minted on add, left as it is on edit. `credential` empty on edit: left as it is. */
export type Draft = AddressFields & {
  name: string
  username: string
  credential: string
  /** What goes by environment: an S3 region, a file of authorities on the hosts, another Azure than the public one. */
  region: string
  authorities: string
  endpointSuffix: string
  password: string
  ownPassword: boolean
  mayDelete: boolean
  hosts: { id: Id; name: string }[]
}

/** A local folder where the policy of the host lets its repositories be. */
function usualPlace(host: NewFor | undefined): string {
  const isWindows = host?.os === 'windows'
  const allowed = localFolderOf(host?.policy?.repositories ?? [])
  const folder = allowed ?? (isWindows ? 'C:\\backups' : '/var/backups/restic')
  return `${folder}${isWindows ? '\\' : '/'}${host?.name ?? 'main'}`
}

type NewFor = Pick<HostView, 'id' | 'name' | 'os' | 'policy'>

/** An empty form, pre-filled for a local folder of `host` when there is one. */
export function newDraft(host: NewFor | undefined): Draft {
  return {
    kind: 'local',
    place: usualPlace(host),
    endpoint: '',
    bucket: '',
    name: host === undefined ? 'main' : `local-${host.name}`,
    username: '',
    credential: '',
    region: '',
    authorities: '',
    endpointSuffix: '',
    password: '',
    ownPassword: false,
    mayDelete: true,
    hosts: host === undefined ? [] : [{ id: host.id, name: host.name }],
  }
}

/** The form of a repository that exists. Its secrets are not in it: they never leave the server. */
export const draftOf = (repository: RepositoryView): Draft => ({
  ...splitUrl(repository.url),
  name: repository.name,
  username: repository.username ?? '',
  credential: '',
  region: repository.environment['AWS_DEFAULT_REGION'] ?? '',
  authorities: repository.environment['RESTIC_CACERT'] ?? '',
  endpointSuffix: repository.environment['AZURE_ENDPOINT_SUFFIX'] ?? '',
  password: '',
  ownPassword: false,
  mayDelete: repository.mayDelete,
  hosts: repository.hosts,
})

/** The environment of the draft's backend; what another backend was given is not in it. */
export function environmentOf(draft: Draft): Record<string, string> {
  const given: Record<string, string> = {
    AWS_DEFAULT_REGION: draft.region.trim(),
    RESTIC_CACERT: draft.authorities.trim(),
    AZURE_ENDPOINT_SUFFIX: draft.endpointSuffix.trim(),
  }
  const names: readonly string[] = backends[draft.kind].environment
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => names.includes(name) && value !== ''),
  )
}

/** How hosts would reach what a form describes. `saved`: the repository that is edited, whose secret stays unless another is typed. */
export function accessOfDraft(draft: Draft, saved?: RepositoryView): AskedAccess {
  const url = composeUrl(draft)
  const typed = draft.credential.trim() === '' ? undefined : draft.credential
  return {
    ...{ url, environment: environmentOf(draft) },
    hasCredential: typed !== undefined || (saved?.hasCredential ?? false),
    remoteType: typed === undefined ? (saved?.remoteType ?? undefined) : remoteTypeOf(url, typed),
  }
}

/** The fields both requests share. */
function fieldsOf(draft: Draft) {
  const takes = backends[draft.kind]
  return {
    name: draft.name.trim(),
    url: composeUrl(draft),
    ...(takes.username && draft.username.trim() !== '' && { username: draft.username.trim() }),
    ...(takes.credential && draft.credential.trim() !== '' && { credential: draft.credential }),
    environment: environmentOf(draft),
    mayDelete: draft.mayDelete,
    hostIds: draft.hosts.map(host => host.id),
    ...(draft.ownPassword && draft.password !== '' && { password: draft.password }),
  }
}

/** The request that makes the repository. */
export const createRequest = (draft: Draft, requestId: Id) => ({ requestId, ...fieldsOf(draft) })

/** The request that changes version `version` of a repository. */
export const updateRequest = (draft: Draft, repositoryId: Id, version: number) => ({
  repositoryId,
  version,
  ...fieldsOf(draft),
})

/** What is wrong with the form, by field, in the server's own words. */
export function complaintsAbout(draft: Draft): Partial<Record<keyof Draft, string>> {
  const complaints: Partial<Record<keyof Draft, string>> = {}
  const anyId = '00000000-0000-7000-8000-000000000000'
  const parsed = RepositoryCreateRequest.safeParse(createRequest(draft, anyId))
  const inStore = backendForms[draft.kind].bucket !== undefined
  const place: keyof Draft = inStore ? 'bucket' : 'place'
  const fields: Record<string, keyof Draft> = {
    url: place,
    name: 'name',
    username: 'username',
    credential: 'credential',
    environment: 'authorities',
    password: 'password',
    hostIds: 'hosts',
  }
  for (const issue of parsed.error?.issues ?? []) {
    const field = fields[String(issue.path[0])]
    if (field !== undefined) complaints[field] ??= issue.message
  }
  if (draft.name.trim() === '') complaints.name = 'Give the repository a name.'
  const bucket = backendForms[draft.kind].bucket
  if (bucket !== undefined && draft.kind !== 's3' && draft.bucket.trim() === '')
    complaints.bucket = `Enter the ${bucket.label.toLowerCase()}.`
  if (!inStore && draft.place.trim() === '')
    complaints.place =
      draft.kind === 'local' ? 'Enter a folder, such as /var/backups/restic.' : 'Enter the address.'
  if (draft.kind === 's3' && draft.endpoint.trim() === '')
    complaints.endpoint = 'Enter the endpoint, such as https://s3.eu-central-1.amazonaws.com.'
  if (draft.ownPassword && draft.password === '')
    complaints.password = 'Enter the password of the repository.'
  return complaints
}
