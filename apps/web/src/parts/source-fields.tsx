// What a backup reads and what it leaves out: folders, presets and own patterns.
import { TagsInput } from '@mantine/core'
import { IconCheck, IconPlus } from '@tabler/icons-react'
import { useId } from 'react'
import { excludePresets, hasPreset, togglePreset } from '../backup-defaults.ts'
import './repository-form.css'
import './table.css'
import './source-fields.css'

const order = ['label', 'input', 'description', 'error'] as const

/** `complaints` are shown as they are: whoever uses this decides when. */
export function SourceFields({
  paths,
  excludes,
  onPaths,
  onExcludes,
  complaints,
}: {
  paths: string[]
  excludes: string[]
  onPaths: (paths: string[]) => void
  onExcludes: (excludes: string[]) => void
  complaints: { paths?: string | undefined; excludes?: string | undefined }
}) {
  const leaveOut = useId()
  const own = excludes.filter(
    pattern =>
      !excludePresets.some(
        preset => hasPreset(excludes, preset.patterns) && preset.patterns.some(other => other === pattern),
      ),
  )
  const preset = excludes.filter(pattern => !own.includes(pattern))
  return (
    <>
      <TagsInput
        className="mono-input"
        label="Folders"
        description="Absolute paths on the host. Press Enter after each."
        inputWrapperOrder={[...order]}
        splitChars={['\n']}
        placeholder={paths.length === 0 ? '/srv/data' : ''}
        value={paths}
        onChange={onPaths}
        error={complaints.paths}
      />
      <div className="stack stack-sm">
        <span className="strong" id={leaveOut}>
          Leave out
        </span>
        <div className="filter-chips presets" role="group" aria-labelledby={leaveOut}>
          {excludePresets.map(({ word, patterns }) => {
            const on = hasPreset(excludes, patterns)
            const Icon = on ? IconCheck : IconPlus
            return (
              <button
                key={word}
                type="button"
                className="filter-chip"
                aria-pressed={on}
                title={patterns.join('  ')}
                onClick={() => onExcludes(togglePreset(excludes, patterns))}
              >
                <Icon size={14} stroke={1.75} aria-hidden />
                {word}
              </button>
            )
          })}
        </div>
        <TagsInput
          className="mono-input"
          aria-label="Own patterns to leave out"
          description="Own patterns, as restic reads them: *.iso, /srv/scratch"
          inputWrapperOrder={[...order]}
          splitChars={['\n']}
          placeholder={own.length === 0 ? 'own pattern' : ''}
          value={own}
          onChange={patterns => onExcludes([...preset, ...patterns])}
          error={complaints.excludes}
        />
      </div>
    </>
  )
}
