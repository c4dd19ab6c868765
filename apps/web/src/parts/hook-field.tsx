// A program before or after a backup, as far as the host's own policy file allows one.
import type { PolicySummary } from '@restic-manager/contract/agent'
import type { Hook } from '@restic-manager/contract/command'
import { NumberInput, Select, Textarea } from '@mantine/core'

const SCRIPT = ' script'

const reasons = {
  off: 'The policy file of this host allows no hooks. Its owner can change that on the host.',
  listed: 'Programs of the host’s own folder of hooks.',
  inline: 'A program of the host’s folder of hooks, or text for its shell.',
} as const

/** `policy` null: the host has not said yet what it allows. */
export function HookField({
  when,
  hook,
  policy,
  onChange,
  error,
}: {
  when: 'before' | 'after'
  hook: Hook | undefined
  policy: PolicySummary | null
  onChange: (hook: Hook | undefined) => void
  error?: string | undefined
}) {
  const allowed = policy?.hooks ?? 'inline'
  const names = [...new Set([...(policy?.hookNames ?? []), ...(hook?.name === undefined ? [] : [hook.name])])]
  const isScript = hook !== undefined && hook.name === undefined
  const choose = (value: string | null) => {
    if (value === null) return onChange(undefined)
    const { name: _name, script: _script, ...rest } = hook ?? {}
    onChange(value === SCRIPT ? { ...rest, script: hook?.script ?? '' } : { ...rest, name: value })
  }
  return (
    <div className="stack stack-sm">
      <Select
        label={when === 'before' ? 'Hook before the backup' : 'Hook after the backup'}
        description={
          policy === null ? 'This host has not said yet what its policy file allows.' : reasons[allowed]
        }
        inputWrapperOrder={['label', 'input', 'description', 'error']}
        placeholder="none"
        clearable
        // One that stands there already can still be taken away.
        disabled={allowed === 'off' && hook === undefined}
        data={[
          ...(allowed === 'off' ? [] : names),
          ...(allowed === 'inline' || isScript ? [{ value: SCRIPT, label: 'a script' }] : []),
          ...(allowed === 'off' && hook?.name !== undefined ? [hook.name] : []),
        ]}
        nothingFoundMessage="The folder of hooks is empty."
        value={hook === undefined ? null : (hook.name ?? SCRIPT)}
        onChange={choose}
        error={error}
      />
      {isScript && (
        <Textarea
          className="mono-input"
          aria-label={`Script ${when} the backup`}
          autosize
          minRows={3}
          maxRows={16}
          spellCheck={false}
          value={hook.script ?? ''}
          onChange={event => onChange({ ...hook, script: event.currentTarget.value })}
        />
      )}
      {hook !== undefined && (
        <div className="field-row">
          <NumberInput
            label="Stopped after"
            suffix=" min"
            placeholder="no limit"
            min={1}
            max={1_440}
            allowDecimal={false}
            value={hook.timeoutMinutes ?? ''}
            onChange={value => {
              const { timeoutMinutes: _old, ...rest } = hook
              onChange(typeof value === 'number' ? { ...rest, timeoutMinutes: value } : rest)
            }}
          />
          {when === 'before' && (
            <Select
              label="If it fails"
              allowDeselect={false}
              data={[
                { value: 'stop', label: 'no backup' },
                { value: 'continue', label: 'back up anyway' },
              ]}
              value={hook.onFailure ?? 'stop'}
              onChange={value => onChange({ ...hook, onFailure: value === 'continue' ? 'continue' : 'stop' })}
            />
          )}
        </div>
      )}
    </div>
  )
}
