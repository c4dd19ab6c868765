// The rest of a schedule, folded away: time limit, and for a backup its options and hooks.
import type { PolicySummary } from '@restic-manager/contract/agent'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { Button, Checkbox, NumberInput, Select, TagsInput } from '@mantine/core'
import { useState } from 'react'
import { secondsInWords } from '../schedule-words.ts'
import { HookField } from './hook-field.tsx'
import type { SectionProps } from '../schedule-draft.ts'
import { SizeInput } from './size-input.tsx'

const order = ['label', 'input', 'description', 'error'] as const
const fields = ['options', 'preHook', 'postHook', 'timeoutMinutes']

/** What stands in the folded part, in a line. */
function inShort({ kind, options = {}, preHook, postHook, timeoutMinutes }: ScheduleDraft): string {
  const hooks = [preHook, postHook].filter(hook => hook !== undefined).length
  const upload = options.uploadKibps
  return [
    timeoutMinutes === undefined ? 'no time limit' : `time limit ${secondsInWords(timeoutMinutes * 60)}`,
    ...(kind === 'backup'
      ? [
          hooks === 0 ? 'no hooks' : hooks === 1 ? '1 hook' : '2 hooks',
          upload === undefined ? 'no upload limit' : `upload ${upload} KiB/s`,
          `compression ${options.compression ?? 'auto'}`,
        ]
      : []),
  ].join(' · ')
}

function NumberOption({
  name,
  label,
  suffix,
  most,
  least = 1,
  placeholder = 'no limit',
  cap,
  ...props
}: SectionProps & {
  name: 'uploadKibps' | 'downloadKibps' | 'readConcurrency' | 'nice'
  label: string
  suffix?: string | undefined
  most: number
  /** What the policy of the host lets restic have. */
  cap?: number | undefined
  least?: number
  placeholder?: string
}) {
  const { draft, change, complaints } = props
  return (
    <NumberInput
      label={label}
      description={cap === undefined ? undefined : `At most ${cap} by the policy of this host.`}
      inputWrapperOrder={[...order]}
      placeholder={cap === undefined ? placeholder : String(cap)}
      {...(suffix !== undefined && { suffix })}
      min={least}
      max={most}
      allowDecimal={false}
      value={draft.options?.[name] ?? ''}
      error={complaints[`options.${name}`]}
      onChange={value =>
        change({ options: { ...draft.options, [name]: typeof value === 'number' ? value : undefined } })
      }
    />
  )
}

function BackupOptions(props: SectionProps & { policy: PolicySummary | null }) {
  const { draft, change, complaints, policy } = props
  const options = draft.options ?? {}
  const set = (next: Partial<typeof options>) => change({ options: { ...options, ...next } })
  return (
    <>
      <div className="field-row">
        <NumberOption
          {...props}
          name="uploadKibps"
          label="Upload at most"
          cap={policy?.uploadKibps}
          suffix=" KiB/s"
          most={100_000_000}
        />
        <NumberOption
          {...props}
          name="downloadKibps"
          label="Download at most"
          cap={policy?.downloadKibps}
          suffix=" KiB/s"
          most={100_000_000}
        />
        <Select
          label="Compression"
          allowDeselect={false}
          data={['auto', 'max', 'off']}
          value={options.compression ?? 'auto'}
          onChange={value => set({ compression: value === 'max' || value === 'off' ? value : undefined })}
        />
      </div>
      <div className="field-row">
        <NumberOption
          {...props}
          name="readConcurrency"
          label="Files read at once"
          most={64}
          placeholder="2"
        />
        <NumberOption {...props} name="nice" label="Nice" least={0} most={19} placeholder="0" />
        <Select
          label="Disk priority"
          clearable
          placeholder="usual"
          data={[
            { value: 'best-effort', label: 'low' },
            { value: 'idle', label: 'only when idle' },
          ]}
          value={options.ionice ?? null}
          onChange={value => set({ ionice: value === 'idle' || value === 'best-effort' ? value : undefined })}
        />
      </div>
      <div className="field-pair">
        <TagsInput
          className="mono-input"
          label="Leave out, capitals or not"
          description="Patterns that match in any case."
          inputWrapperOrder={[...order]}
          splitChars={['\n']}
          value={options.iexcludes ?? []}
          error={complaints['options.iexcludes']}
          onChange={iexcludes => set({ iexcludes })}
        />
        <TagsInput
          className="mono-input"
          label="Leave out folders that hold"
          description="Names of files, such as .nobackup or CACHEDIR.TAG."
          inputWrapperOrder={[...order]}
          splitChars={['\n']}
          value={options.excludeIfPresent ?? []}
          error={complaints['options.excludeIfPresent']}
          onChange={excludeIfPresent => set({ excludeIfPresent })}
        />
      </div>
      <div className="field-pair">
        <SizeInput
          label="Leave out files larger than"
          value={options.excludeLargerThan}
          error={complaints['options.excludeLargerThan']}
          onChange={excludeLargerThan => set({ excludeLargerThan })}
        />
        <Checkbox
          className="field-checkbox"
          label="Stay on one file system"
          description="Mounts below the folders are left out."
          checked={options.oneFileSystem ?? false}
          onChange={event => set({ oneFileSystem: event.currentTarget.checked || undefined })}
        />
      </div>
    </>
  )
}

/** `policy`: what the host allows of hooks and of bandwidth. */
export function ScheduleMore(props: SectionProps & { policy: PolicySummary | null }) {
  const { draft, change, complaints, policy } = props
  const [opened, setOpened] = useState(false)
  const isWrong = Object.keys(complaints).some(
    field =>
      complaints[field] !== undefined && fields.some(own => field === own || field.startsWith(`${own}.`)),
  )
  const open = opened || (isWrong && draft.kind === 'backup')
  return (
    <section className="form-section" aria-labelledby="more">
      <div className="row">
        <h2 className="panel-title" id="more">
          More
        </h2>
        <span className="dim grow cut">{!open && inShort(draft)}</span>
        <Button aria-expanded={open} onClick={() => setOpened(!open)}>
          {open ? 'Close' : 'Open'}
        </Button>
      </div>
      {open && (
        <>
          <NumberInput
            className="field-third"
            label="Time limit"
            description="A job that takes longer is stopped."
            inputWrapperOrder={[...order]}
            suffix=" min"
            placeholder="none"
            min={1}
            max={43_200}
            allowDecimal={false}
            value={draft.timeoutMinutes ?? ''}
            error={complaints['timeoutMinutes']}
            onChange={value => change({ timeoutMinutes: typeof value === 'number' ? value : undefined })}
          />
          {draft.kind === 'backup' && (
            <>
              <BackupOptions {...props} />
              <HookField
                when="before"
                hook={draft.preHook}
                policy={policy}
                error={complaints['preHook']}
                onChange={preHook => change({ preHook })}
              />
              <HookField
                when="after"
                hook={draft.postHook}
                policy={policy}
                error={complaints['postHook']}
                onChange={postHook => change({ postHook })}
              />
            </>
          )}
        </>
      )}
    </section>
  )
}
