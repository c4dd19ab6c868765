// What a forget keeps: presets, every rule restic has, and the sentence they come to.
import { complaintAboutRetention, type Retention } from '@restic-manager/contract/retention'
import { NumberInput, TagsInput, TextInput } from '@mantine/core'
import {
  type KeepPreset,
  keepPresets,
  presetOf,
  retentionInWords,
  tidyRetention,
} from '../retention-words.ts'
import { FilterChips } from './filter-chips.tsx'
import type { SectionProps } from '../schedule-draft.ts'

const counts = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
const ages = [
  { rule: 'within', word: 'all' },
  { rule: 'withinHourly', word: 'hourly' },
  { rule: 'withinDaily', word: 'daily' },
  { rule: 'withinWeekly', word: 'weekly' },
  { rule: 'withinMonthly', word: 'monthly' },
  { rule: 'withinYearly', word: 'yearly' },
] as const
const presetWords = { light: 'Light', usual: 'Usual', long: 'Long' } as const satisfies Record<
  KeepPreset,
  string
>

/** `appendOnly`: one of the repositories may only be added to, which makes rules by age the safe ones. */
export function ScheduleKeep({ draft, change, appendOnly }: SectionProps & { appendOnly: boolean }) {
  const retention = draft.retention ?? {}
  const set = (next: Partial<Retention>) => change({ retention: { ...retention, ...next } })
  // Said while somebody types: what a policy would do should never come as news.
  const complaint = complaintAboutRetention(tidyRetention(retention))
  return (
    <section className="form-section" aria-labelledby="keep">
      <div className="row row-wrap form-section-head">
        <h2 className="panel-title grow" id="keep">
          Keep
        </h2>
        <FilterChips
          label="How much to keep"
          options={[
            ...(Object.keys(keepPresets) as KeepPreset[]).map(value => ({ value, word: presetWords[value] })),
            { value: undefined, word: 'Own' },
          ]}
          value={presetOf(retention)}
          onChange={preset =>
            preset !== undefined &&
            change({ retention: { ...keepPresets[preset][appendOnly ? 'within' : 'counted'] } })
          }
        />
      </div>
      <fieldset className="rules">
        <legend className="dim">How many, the newest of each</legend>
        {counts.map(rule => (
          <NumberInput
            key={rule}
            label={rule}
            hideControls
            allowDecimal={false}
            placeholder="–"
            value={retention[rule] ?? ''}
            error={(retention[rule] ?? 0) < 0}
            onChange={value => set({ [rule]: typeof value === 'number' ? value : undefined })}
          />
        ))}
      </fieldset>
      <fieldset className="rules">
        <legend className="dim">For how long, such as 30d or 1y6m</legend>
        {ages.map(({ rule, word }) => (
          <TextInput
            key={rule}
            label={word}
            aria-label={`${word}, for how long`}
            placeholder="–"
            spellCheck={false}
            value={retention[rule] ?? ''}
            onChange={event => set({ [rule]: event.currentTarget.value.trim() })}
          />
        ))}
      </fieldset>
      <TagsInput
        label="Everything tagged"
        placeholder={(retention.tags ?? []).length === 0 ? 'none' : ''}
        value={retention.tags ?? []}
        onChange={tags => set({ tags })}
      />
      <div className="rules-words" aria-live="polite">
        {complaint === undefined ? (
          <p className="second">
            {retentionInWords(retention)} A snapshot kept by any rule stays, all others go. Their space is
            freed by the next prune.
          </p>
        ) : (
          <p className="tone-bad">{complaint.message}</p>
        )}
        {appendOnly && counts.some(rule => (retention[rule] ?? 0) > 0) && (
          <p className="tone-warn">
            This host may only append. Somebody who takes it over could add forged snapshots until true ones
            fall out of a number. Rules by age keep them.
          </p>
        )}
      </div>
    </section>
  )
}
