// The address and credentials of a repository, as each kind of storage asks for them.
import { TextInput } from '@mantine/core'
import { backends } from '@restic-manager/contract/backends'
import { backendForms } from '../backend-words.ts'
import type { Draft } from '../repository-draft.ts'
import { BackendSecret } from './backend-secret.tsx'
import './repository-form.css'

type Props = {
  draft: Draft
  editing: boolean
  complaints: Partial<Record<keyof Draft, string>>
  change: (next: Partial<Draft>) => void
}

type TextField = 'place' | 'endpoint' | 'bucket' | 'username' | 'region' | 'authorities' | 'endpointSuffix'

const order: ('label' | 'input' | 'description' | 'error')[] = ['label', 'input', 'description', 'error']

/** What goes by environment, where the storage takes it. Nobody needs it on the first day. */
const extras = [
  {
    name: 'AWS_DEFAULT_REGION',
    field: 'region',
    label: 'Region',
    example: 'eu-central-1',
    help: 'Only where the storage asks for one.',
  },
  {
    name: 'RESTIC_CACERT',
    field: 'authorities',
    label: 'File of certificate authorities',
    example: '/etc/ssl/own-ca.pem',
    help: 'Only where the server has a certificate of your own authority. The file lies on each host.',
  },
  {
    name: 'AZURE_ENDPOINT_SUFFIX',
    field: 'endpointSuffix',
    label: 'Endpoint suffix',
    example: 'core.chinacloudapi.cn',
    help: 'Only for another Azure than the public one.',
  },
] as const

/** The fields between the tiles and the hosts. */
export function AddressFieldset({ draft, editing, complaints, change }: Props) {
  const { bucket, place, username, credential } = backendForms[draft.kind]
  const field = (name: TextField, words: { label: string; example?: string; help?: string }) => (
    <TextInput
      key={name}
      className="mono-input"
      label={words.label}
      placeholder={words.example}
      description={words.help}
      value={draft[name]}
      error={complaints[name]}
      autoComplete="off"
      spellCheck={false}
      inputWrapperOrder={order}
      onChange={event => change({ [name]: event.currentTarget.value })}
    />
  )
  const secret = credential !== undefined && (
    <BackendSecret
      kind={draft.kind}
      editing={editing}
      value={draft.credential}
      error={complaints.credential}
      onChange={value => change({ credential: value })}
    />
  )
  const names: readonly string[] = backends[draft.kind].environment
  return (
    <>
      {bucket === undefined ? (
        place !== undefined && field('place', place)
      ) : (
        <div className="field-pair">
          {draft.kind === 's3' &&
            field('endpoint', { label: 'Endpoint', example: 'https://s3.eu-central-1.amazonaws.com' })}
          {field('bucket', bucket)}
          {place !== undefined && field('place', place)}
        </div>
      )}
      {username !== undefined && credential?.lines !== true ? (
        <div className="field-pair">
          {field('username', username)}
          {secret}
        </div>
      ) : (
        <>
          {username !== undefined && field('username', username)}
          {secret}
        </>
      )}
      {extras
        .filter(({ name }) => names.includes(name))
        .map(({ field: name, ...words }) => field(name, words))}
    </>
  )
}
