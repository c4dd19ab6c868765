// What a schedule is called, where it works, and what it reads, thins or checks.
import { MultiSelect, NumberInput, Radio, Select, TagsInput, TextInput } from '@mantine/core'
import type { RepositoryView, ScheduleView } from '@restic-manager/contract/views'
import { complaintsAboutPlaces, type PlannedPlace } from '@restic-manager/contract/schedule-complaints'
import { runsOn } from '../schedule-words.ts'
import { LinkButton } from './link-button.tsx'
import { Notice } from './notice.tsx'
import type { SectionProps } from '../schedule-draft.ts'
import { SizeInput } from './size-input.tsx'
import { SourceFields } from './source-fields.tsx'

const order = ['label', 'input', 'description', 'error'] as const

/** The first repository of which nobody would run it, with the way to change that. */
function Nobody({ draft, repositories, host }: WhatProps) {
  const missing = repositories.find(
    repository =>
      draft.repositoryIds.includes(repository.id) && runsOn(draft.kind, host, repository) === null,
  )
  if (missing === undefined) return null
  return (
    <Notice
      tone="warn"
      title={`${missing.name} has no maintenance host, so its slots would be skipped.`}
      action={
        <LinkButton to="/repositories/$repositoryId" params={{ repositoryId: missing.id }}>
          Choose one
        </LinkButton>
      }
    >
      {draft.kind === 'prune'
        ? 'Space is freed by one host only, with a credential that may delete.'
        : 'This host may only append there. Another one, with a credential that may delete, forgets for it.'}
    </Notice>
  )
}

type Unused = 'usual' | 'share' | 'size'

function PruneFields({ draft, change, complaints }: SectionProps) {
  const options = draft.options ?? {}
  const set = (next: Partial<typeof options>) => change({ options: { ...options, ...next } })
  const unused: Unused =
    options.maxUnusedBytes !== undefined ? 'size' : options.maxUnusedPercent !== undefined ? 'share' : 'usual'
  return (
    <div className="field-pair">
      <Select
        label="Unused space that may stay"
        description="Less of it means more data is moved."
        inputWrapperOrder={[...order]}
        allowDeselect={false}
        data={[
          { value: 'usual', label: 'restic’s own 5 %' },
          { value: 'share', label: 'another share' },
          { value: 'size', label: 'a size' },
        ]}
        value={unused}
        error={complaints['options']}
        onChange={value =>
          set({
            maxUnusedPercent: value === 'share' ? 10 : undefined,
            maxUnusedBytes: value === 'size' ? 10 * 1024 ** 3 : undefined,
          })
        }
      />
      {unused === 'share' && (
        <NumberInput
          label="Share"
          suffix=" %"
          min={0}
          max={100}
          value={options.maxUnusedPercent ?? ''}
          error={complaints['options.maxUnusedPercent']}
          onChange={value => typeof value === 'number' && set({ maxUnusedPercent: value })}
        />
      )}
      {unused === 'size' && (
        <SizeInput
          label="Size"
          value={options.maxUnusedBytes}
          error={complaints['options.maxUnusedBytes']}
          onChange={bytes => bytes !== undefined && set({ maxUnusedBytes: bytes })}
        />
      )}
      <SizeInput
        label="Moved at most per run"
        value={options.maxRepackBytes}
        error={complaints['options.maxRepackBytes']}
        onChange={bytes => set({ maxRepackBytes: bytes })}
      />
    </div>
  )
}

function CheckFields({ draft, change, complaints, repositories }: WhatProps) {
  const options = draft.options ?? {}
  const depth =
    options.readRotation !== undefined ? 'turns' : options.readPercent !== undefined ? 'share' : 'structure'
  const rotation = repositories.find(({ id }) => draft.repositoryIds.includes(id))?.checkRotation
  return (
    <div className="stack">
      <Radio.Group
        label="How deep"
        value={depth}
        error={complaints['options']}
        onChange={value =>
          change({
            options: value === 'turns' ? { readRotation: 12 } : value === 'share' ? { readPercent: 5 } : {},
          })
        }
      >
        <div className="radios">
          <Radio
            value="structure"
            label="The structure only"
            description="Finds what is missing, reads no data back."
          />
          <Radio value="share" label="A random share of the data, each time" />
          <Radio value="turns" label="Everything in turns, one part each time" />
        </div>
      </Radio.Group>
      {depth === 'share' && (
        <NumberInput
          label="Share"
          suffix=" %"
          min={0.1}
          max={100}
          value={options.readPercent ?? ''}
          error={complaints['options.readPercent']}
          onChange={value => typeof value === 'number' && change({ options: { readPercent: value } })}
        />
      )}
      {depth === 'turns' && (
        <NumberInput
          label="Runs until everything was read"
          description={
            rotation != null && rotation.of === options.readRotation
              ? `${rotation.done} of ${rotation.of} parts are done in this round.`
              : 'Each run reads one part of it.'
          }
          inputWrapperOrder={[...order]}
          min={2}
          max={256}
          allowDecimal={false}
          value={options.readRotation ?? ''}
          error={complaints['options.readRotation']}
          onChange={value => typeof value === 'number' && change({ options: { readRotation: value } })}
        />
      )}
    </div>
  )
}

export type WhatProps = SectionProps & {
  host: { id: string; name: string }
  /** Those the host may use. */
  repositories: RepositoryView[]
  /** Where it would work in each of them. */
  places: ReadonlyMap<string, PlannedPlace>
  /** The host's backup schedules. */
  backups: ScheduleView[]
}

/** Name and repositories, then what the kind asks for. */
export function ScheduleWhat(props: WhatProps) {
  const { draft, change, complaints, repositories, places, backups } = props
  const known = new Set(repositories.map(({ id }) => id))
  const whyNot = new Map(
    [...places].flatMap(([id, place]) => {
      const [complaint] = complaintsAboutPlaces({}, { rules: undefined, places: [place] })
      return complaint === undefined ? [] : [[id, complaint.message] as const]
    }),
  )
  return (
    <section className="form-section" aria-labelledby="what">
      <h2 className="panel-title" id="what">
        What
      </h2>
      <div className="field-pair">
        <TextInput
          label="Name"
          value={draft.name}
          error={complaints['name']}
          onChange={event => change({ name: event.currentTarget.value })}
        />
        <MultiSelect
          label="Repositories"
          description={
            [
              draft.repositoryIds.length > 1 ? 'One after another, in this order.' : '',
              ...[...whyNot].flatMap(([id, why]) => (draft.repositoryIds.includes(id) ? [] : [why])),
            ]
              .filter(words => words !== '')
              .join(' ') || undefined
          }
          inputWrapperOrder={[...order]}
          placeholder={draft.repositoryIds.length === 0 ? 'Choose one' : ''}
          data={[
            ...repositories.map(({ id, name, mayDelete }) => ({
              value: id,
              label: `${name}${mayDelete ? '' : ' (append-only)'}${whyNot.has(id) ? ' (host policy)' : ''}`,
              // One that stands there already can still be taken away.
              disabled: whyNot.has(id) && !draft.repositoryIds.includes(id),
            })),
            ...draft.repositoryIds
              .filter(id => !known.has(id))
              .map(id => ({ value: id, label: 'not on this host any more' })),
          ]}
          value={draft.repositoryIds}
          error={
            complaints['repositoryIds'] ??
            // Not only once it is touched: a host may have become stricter since it was saved.
            draft.repositoryIds.flatMap(id => whyNot.get(id) ?? [])[0]
          }
          onChange={repositoryIds => change({ repositoryIds })}
        />
      </div>
      {draft.kind === 'backup' && (
        <SourceFields
          paths={draft.paths ?? []}
          excludes={draft.excludes ?? []}
          onPaths={paths => change({ paths })}
          onExcludes={excludes => change({ excludes })}
          complaints={{ paths: complaints['paths'], excludes: complaints['excludes'] }}
        />
      )}
      {draft.kind === 'forget' && (
        <MultiSelect
          label="Whose snapshots"
          description="Of these backup schedules, and of no others."
          inputWrapperOrder={[...order]}
          placeholder={(draft.forgets ?? []).length === 0 ? 'Choose backup schedules' : ''}
          data={backups.map(({ id, schedule }) => ({ value: id, label: schedule.name }))}
          value={draft.forgets ?? []}
          error={complaints['forgets']}
          onChange={forgets => change({ forgets })}
        />
      )}
      {draft.kind === 'prune' && <PruneFields {...props} />}
      {draft.kind === 'check' && <CheckFields {...props} />}
      {draft.kind === 'backup' && (
        <TagsInput
          label="Tags"
          description="Put on every snapshot. Retention can keep by them."
          inputWrapperOrder={[...order]}
          placeholder={(draft.tags ?? []).length === 0 ? 'none' : ''}
          value={draft.tags ?? []}
          error={complaints['tags']}
          onChange={tags => change({ tags })}
        />
      )}
      <Nobody {...props} />
    </section>
  )
}
