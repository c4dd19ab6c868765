// Chooses the one host that forgets, prunes and checks in a repository, and the access it gets for that.
import type { Id } from '@restic-manager/contract/ids'
import type { AskedAccess } from '@restic-manager/contract/policy-rule'
import { backends } from '@restic-manager/contract/backends'
import type { RepositoryView } from '@restic-manager/contract/views'
import { Button, Checkbox, Modal, PasswordInput, Select, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import {
  complaintsAboutMaintenance,
  type MaintenanceDraft,
  maintenanceDraftOf,
  maintenanceRequest,
  needsAcceptance,
} from '../maintenance-draft.ts'
import { accessOf, useHostPolicies, whyForbidden } from '../host-policy.ts'
import { queryClient, refusalIn, trpc } from '../trpc.ts'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import './repository-form.css'

const order = ['label', 'input', 'description', 'error'] as const

function HostSelect({
  chosen,
  access,
  onChange,
}: {
  access: AskedAccess
  chosen: MaintenanceDraft['host']
  onChange: (host: MaintenanceDraft['host']) => void
}) {
  const [typed, setTyped] = useState('')
  const [search] = useDebouncedValue(typed, 200)
  const hosts = useQuery(
    trpc.hosts.list.queryOptions(
      { limit: 50, ...(search !== '' && search !== chosen?.name && { search }) },
      { placeholderData: keepPreviousData },
    ),
  )
  const rows = hosts.data?.rows ?? []
  const known = [...rows, ...(chosen === null || rows.some(({ id }) => id === chosen.id) ? [] : [chosen])]
  const policies = useHostPolicies(known.map(({ id }) => id))
  const whyNot = (id: Id) => whyForbidden(policies.get(id), { access })
  return (
    <Select
      label="Maintenance host"
      description="Forgets, prunes and checks here. Best one that backs up nothing into this repository."
      inputWrapperOrder={[...order]}
      placeholder="none"
      searchable
      clearable
      searchValue={typed}
      onSearchChange={setTyped}
      // The server has searched already, by name and by tag.
      filter={({ options }) => options}
      data={known.map(({ id, name }) => {
        const isForbidden = whyNot(id) !== undefined
        return {
          value: id,
          label: isForbidden ? `${name} (its policy does not allow this place)` : name,
          disabled: isForbidden && id !== chosen?.id,
        }
      })}
      error={chosen === null ? undefined : whyNot(chosen.id)}
      value={chosen?.id ?? null}
      onChange={value => onChange(known.find(({ id }) => id === value) ?? null)}
    />
  )
}

function AdminAccess({
  repository,
  draft,
  complaints,
  change,
}: {
  repository: RepositoryView
  draft: MaintenanceDraft
  complaints: ReturnType<typeof complaintsAboutMaintenance>
  change: (next: Partial<MaintenanceDraft>) => void
}) {
  const takes = backends[repository.kind]
  if (!takes.username && !takes.credential)
    return (
      <p className="dim">
        This kind of storage has no secret of its own: the maintenance host reaches it as the other hosts do.
      </p>
    )
  return (
    <>
      <div className="field-pair">
        {takes.username && (
          <TextInput
            label="Admin user name"
            placeholder={repository.username ?? 'the everyday one'}
            autoComplete="off"
            spellCheck={false}
            value={draft.adminUsername}
            error={complaints.adminUsername}
            onChange={event => change({ adminUsername: event.currentTarget.value })}
          />
        )}
        {takes.credential && (
          <PasswordInput
            label="Admin secret"
            placeholder={repository.hasAdminCredential ? 'stays as it is' : 'the everyday one'}
            autoComplete="off"
            value={draft.adminCredential}
            error={complaints.adminCredential}
            onChange={event => change({ adminCredential: event.currentTarget.value })}
          />
        )}
      </div>
      <p className="dim">
        It may delete. It is sent with a single order, kept in memory for that run only, and never reaches the
        other hosts.
      </p>
    </>
  )
}

type Edited = { repository: RepositoryView; onClose: () => void }

function MaintenanceForm({ repository, onClose }: Edited) {
  // The version that was opened: a live change meanwhile must not make an edit look newer than it is.
  const [opened] = useState(repository)
  const [draft, setDraft] = useState(() => maintenanceDraftOf(repository))
  const [tried, setTried] = useState(false)
  const change = (next: Partial<MaintenanceDraft>) => setDraft(old => ({ ...old, ...next }))
  const save = useMutation(
    trpc.repositories.update.mutationOptions({
      onSuccess: async () => {
        await queryClient.invalidateQueries(trpc.repositories.pathFilter())
        onClose()
      },
    }),
  )
  const complaints = complaintsAboutMaintenance(opened, draft)
  const shown = tried ? complaints : {}
  return (
    <form
      className="stack"
      noValidate
      onSubmit={event => {
        event.preventDefault()
        setTried(true)
        if (Object.keys(complaints).length === 0) save.mutate(maintenanceRequest(opened, draft))
      }}
    >
      <HostSelect
        chosen={draft.host}
        access={accessOf(opened, { elevated: true })}
        onChange={host => change({ host, acceptsRisk: false })}
      />
      {draft.host !== null && (
        <AdminAccess repository={opened} draft={draft} complaints={shown} change={change} />
      )}
      {draft.host !== null && needsAcceptance(opened, draft.host) && (
        <Notice tone="bad" title="Not ransomware-safe: this host also backs up into this repository.">
          <p>
            Whoever breaks into {draft.host.name} could delete every backup in {opened.name}, of every host
            that uses it. A single machine with a local repository has no other choice.
          </p>
          <Checkbox
            className="acceptance"
            label={`I accept that a thief of ${draft.host.name} could delete every backup here.`}
            checked={draft.acceptsRisk}
            error={shown.acceptsRisk}
            onChange={event => change({ acceptsRisk: event.currentTarget.checked })}
          />
        </Notice>
      )}
      <MutationProblem
        what={
          refusalIn(save.error) === 'version_stale'
            ? 'Somebody else changed it meanwhile. Close this and open it again.'
            : 'The repository was not changed.'
        }
        error={save.error}
      />
      <div className="row form-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="filled" loading={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  )
}

/** A dialog over the repository's page; each opening starts from the repository as it is then. */
export function MaintenanceDialog({ opened, ...edited }: Edited & { opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={edited.onClose}
      title={`Maintenance of ${edited.repository.name}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <MaintenanceForm {...edited} />
    </Modal>
  )
}
