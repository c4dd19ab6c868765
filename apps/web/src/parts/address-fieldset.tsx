// The address and credentials of a repository, as each kind of storage asks for them.
import { PasswordInput, TextInput } from '@mantine/core'
import type { Draft } from '../repository-draft.ts'

import './repository-form.css'

type Props = {
  draft: Draft
  editing: boolean
  complaints: Partial<Record<keyof Draft, string>>
  change: (next: Partial<Draft>) => void
}

const places = {
  local: {
    label: 'Folder on the host',
    placeholder: '/var/backups/restic',
    help: 'Created if it is not there. On another disk than what is backed up, if you can.',
  },
  rest: {
    label: 'Address',
    placeholder: 'https://backup.example.com:8000/atlas/',
    help: 'Without user name and password: they have their own fields.',
  },
  sftp: {
    label: 'Address',
    placeholder: 'backup@vault.example.net:/srv/restic',
    help: 'Signs in with an SSH key of the host, without a question. With a port: //backup@vault.example.net:2222//srv/restic.',
  },
} as const

const order = ['label', 'input', 'description', 'error'] as const

function Secret({ label, draft, editing, complaints, change }: Props & { label: string }) {
  return (
    <PasswordInput
      label={label}
      autoComplete="off"
      placeholder={editing ? 'stays as it is' : ''}
      value={draft.credential}
      error={complaints.credential}
      onChange={event => change({ credential: event.currentTarget.value })}
    />
  )
}

/** The fields between the tiles and the hosts. */
export function AddressFieldset(props: Props) {
  const { draft, complaints, change } = props
  const field = (name: 'place' | 'endpoint' | 'bucket' | 'username' | 'region') => ({
    value: draft[name],
    error: complaints[name],
    autoComplete: 'off',
    spellCheck: false,
    inputWrapperOrder: [...order],
    onChange: (event: { currentTarget: { value: string } }) => change({ [name]: event.currentTarget.value }),
  })
  if (draft.kind === 's3') {
    return (
      <>
        <div className="field-pair">
          <TextInput
            className="mono-input"
            label="Endpoint"
            placeholder="https://s3.eu-central-1.amazonaws.com"
            {...field('endpoint')}
          />
          <TextInput
            className="mono-input"
            label="Bucket and folder"
            placeholder="acme-backup/atlas"
            {...field('bucket')}
          />
        </div>
        <div className="field-pair">
          <TextInput className="mono-input" label="Access key id" {...field('username')} />
          <Secret {...props} label="Secret access key" />
        </div>
        <TextInput
          className="mono-input"
          label="Region"
          description="Only where the storage asks for one."
          placeholder="eu-central-1"
          {...field('region')}
        />
      </>
    )
  }
  const place = places[draft.kind]
  return (
    <>
      <TextInput
        className="mono-input"
        label={place.label}
        placeholder={place.placeholder}
        description={place.help}
        {...field('place')}
      />
      {draft.kind === 'rest' && (
        <div className="field-pair">
          <TextInput label="User name" {...field('username')} />
          <Secret {...props} label="Password of the REST server" />
        </div>
      )}
    </>
  )
}
