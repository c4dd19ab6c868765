// Where backups go: kind of storage, its address and credentials, password, and which hosts may use it.
import { Button, Checkbox, PasswordInput, Radio, TextInput } from '@mantine/core'
import type { RepositoryView } from '@restic-manager/contract/views'
import { backendKinds } from '@restic-manager/contract/backends'
import { type ReactNode, useState } from 'react'
import { backendForms } from '../backend-words.ts'
import { accessOfDraft, complaintsAbout, type Draft } from '../repository-draft.ts'
import { backendWords } from '../words.ts'
import { AddressFieldset } from './address-fieldset.tsx'
import { HostPicker } from './host-picker.tsx'
import { Notice } from './notice.tsx'
import './repository-form.css'

function DeleteRight({ draft, change }: { draft: Draft; change: (next: Partial<Draft>) => void }) {
  return (
    <div className="stack stack-sm">
      <Checkbox
        label="These hosts may delete backups there"
        description="Leave it off where the storage only appends, such as a REST server with --append-only."
        checked={draft.mayDelete}
        onChange={event => change({ mayDelete: event.currentTarget.checked })}
      />
      {draft.mayDelete && (
        <Notice tone="warn" title="Not ransomware-safe: these hosts can delete their own backups.">
          Good enough to start. Later add storage that only appends.
        </Notice>
      )}
    </div>
  )
}

/** `saved`: what is edited; secrets left empty stay as they are. `problem` is what the server answered. */
export function RepositoryForm({
  initial,
  saved,
  busy,
  problem,
  submitWord,
  onSubmit,
  onCancel,
}: {
  initial: Draft
  saved?: RepositoryView
  busy: boolean
  problem: ReactNode
  submitWord: string
  onSubmit: (draft: Draft) => void
  onCancel?: (() => void) | undefined
}) {
  const editing = saved !== undefined
  const [draft, setDraft] = useState(initial)
  const [tried, setTried] = useState(false)
  const change = (next: Partial<Draft>) => setDraft(old => ({ ...old, ...next }))
  const complaints = tried ? complaintsAbout(draft) : {}

  return (
    <form
      className="stack"
      noValidate
      onSubmit={event => {
        event.preventDefault()
        setTried(true)
        if (Object.keys(complaintsAbout(draft)).length === 0) onSubmit(draft)
        else event.currentTarget.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
      }}
    >
      <fieldset className="tiles" aria-label="Kind of storage" disabled={editing}>
        {backendKinds.map(kind => (
          <label key={kind} className={`tile ${draft.kind === kind ? 'tile-on' : ''}`}>
            <input
              type="radio"
              name="kind"
              className="visually-hidden"
              checked={draft.kind === kind}
              onChange={() =>
                change({
                  kind,
                  place: kind === initial.kind ? initial.place : '',
                  bucket: kind === initial.kind ? initial.bucket : '',
                  credential: '',
                  // A name nobody has chosen yet follows the kind.
                  ...([initial.name, draft.kind].includes(draft.name) &&
                    !editing && { name: kind === initial.kind ? initial.name : kind }),
                  mayDelete: kind !== 'rest',
                })
              }
            />
            <span className="strong">{backendWords[kind]}</span>
            <span className="dim">{backendForms[kind].below}</span>
          </label>
        ))}
      </fieldset>
      <TextInput
        label="Name"
        description="As it stands in lists."
        inputWrapperOrder={['label', 'input', 'description', 'error']}
        value={draft.name}
        error={complaints.name}
        onChange={event => change({ name: event.currentTarget.value })}
      />
      <AddressFieldset draft={draft} editing={editing} complaints={complaints} change={change} />
      <HostPicker
        chosen={draft.hosts}
        access={accessOfDraft(draft, saved)}
        onChange={hosts => change({ hosts })}
        error={complaints.hosts}
      />
      <Radio.Group
        label="Repository password"
        description="It encrypts everything in the repository. Nobody can read the backups without it."
        value={draft.ownPassword ? 'own' : 'kept'}
        onChange={value => change({ ownPassword: value === 'own' })}
      >
        <div className="radios">
          <Radio
            value="kept"
            label={editing ? 'Keep the one it has' : 'Make a strong one (shown once, for the recovery kit)'}
          />
          <Radio
            value="own"
            label={editing ? 'Give another one' : 'The repository exists already: I have its password'}
          />
        </div>
      </Radio.Group>
      {draft.ownPassword && (
        <PasswordInput
          label="Password of the repository"
          autoComplete="off"
          value={draft.password}
          error={complaints.password}
          onChange={event => change({ password: event.currentTarget.value })}
        />
      )}
      <DeleteRight draft={draft} change={change} />
      {problem}
      <div className="row form-foot">
        {onCancel !== undefined && <Button onClick={onCancel}>Cancel</Button>}
        <Button type="submit" variant="filled" loading={busy}>
          {submitWord}
        </Button>
      </div>
    </form>
  )
}
