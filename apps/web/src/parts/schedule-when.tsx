// When a schedule comes: rhythms as chips, their time, the zone, the spread, and what becomes of slots that cannot run.
import { isTimeZone } from '@restic-manager/contract/cron'
import { NumberInput, Select, TextInput } from '@mantine/core'
import { useState } from 'react'
import { clockOf, cronOf, dayNames, hourSteps, nightTime, type Rhythm, rhythmOf } from '../timetable.ts'
import { secondsInWords } from '../schedule-words.ts'
import type { SectionProps } from '../schedule-draft.ts'
import { ClockInput } from './clock-input.tsx'
import { FilterChips } from './filter-chips.tsx'

type Mode = Rhythm['every'] | 'manual' | 'cron'

const modes: { value: Mode; word: string }[] = [
  { value: 'hour', word: 'Hourly' },
  { value: 'hours', word: 'Every 6 h' },
  { value: 'day', word: 'Daily' },
  { value: 'workday', word: 'Weekdays' },
  { value: 'week', word: 'Weekly' },
  { value: 'month', word: 'Monthly' },
  { value: 'manual', word: 'Manual' },
  { value: 'cron', word: 'Cron' },
]
const spreads = [0, 60, 300, 600, 900, 1_200, 1_800, 3_600, 7_200]
const delays = [60, 300, 600, 1_800, 3_600]
const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter(zone => zone !== 'UTC')]

/** The known values with the one in use among them. */
const withValue = (known: readonly number[], value: number) =>
  [...new Set([...known, value])].toSorted((a, b) => a - b)

function RhythmFields({ rhythm, change }: { rhythm: Rhythm; change: (rhythm: Rhythm) => void }) {
  const withClock = 'hour' in rhythm
  return (
    <>
      {rhythm.every === 'week' && (
        <Select
          label="On"
          allowDeselect={false}
          data={dayNames.map((label, day) => ({ value: String(day), label }))}
          value={String(rhythm.day)}
          onChange={day => day !== null && change({ ...rhythm, day: Number(day) })}
        />
      )}
      {rhythm.every === 'month' && (
        <Select
          label="On day"
          allowDeselect={false}
          data={Array.from({ length: 28 }, (_, index) => String(index + 1))}
          value={String(rhythm.date)}
          onChange={date => date !== null && change({ ...rhythm, date: Number(date) })}
        />
      )}
      {rhythm.every === 'hours' && (
        <Select
          label="Every"
          allowDeselect={false}
          data={hourSteps.map(hours => ({ value: String(hours), label: `${hours} hours` }))}
          value={String(rhythm.hours)}
          onChange={hours => hours !== null && change({ ...rhythm, hours: Number(hours) })}
        />
      )}
      {withClock ? (
        <ClockInput
          key={rhythm.every}
          value={clockOf(rhythm)}
          onChange={({ hour, minute }) => change({ ...rhythm, hour, minute })}
        />
      ) : (
        <NumberInput
          label="At minute"
          min={0}
          max={59}
          clampBehavior="strict"
          value={rhythm.minute}
          onChange={minute => typeof minute === 'number' && change({ ...rhythm, minute })}
        />
      )}
    </>
  )
}

/** What becomes of slots that come at a bad moment, and of jobs that fail. */
function BadMoments({ draft, change }: SectionProps) {
  const { retry } = draft
  return (
    <div className="field-row">
      {!draft.manual && (
        <Select
          label="If a slot is missed"
          allowDeselect={false}
          data={[
            { value: 'once', label: 'catch up once' },
            { value: 'none', label: 'leave it out' },
          ]}
          value={draft.catchUp}
          onChange={value => value !== null && change({ catchUp: value === 'once' ? 'once' : 'none' })}
        />
      )}
      {!draft.manual && (
        <Select
          label="If still running"
          allowDeselect={false}
          data={[
            { value: 'skip', label: 'skip the slot' },
            { value: 'queue', label: 'queue it, once' },
          ]}
          value={draft.overlap}
          onChange={value => value !== null && change({ overlap: value === 'queue' ? 'queue' : 'skip' })}
        />
      )}
      <Select
        label="If it fails"
        allowDeselect={false}
        data={[
          { value: '0', label: 'leave it' },
          ...withValue([1, 2, 3, 5], retry?.count ?? 1).map(count => ({
            value: String(count),
            label: `retry ${count} ×`,
          })),
        ]}
        value={String(retry?.count ?? 0)}
        onChange={value => {
          const count = Number(value)
          change({ retry: count === 0 ? undefined : { count, delaySeconds: retry?.delaySeconds ?? 600 } })
        }}
      />
      {retry !== undefined && (
        <Select
          label="Each after"
          allowDeselect={false}
          data={withValue(delays, retry.delaySeconds).map(seconds => ({
            value: String(seconds),
            label: secondsInWords(seconds),
          }))}
          value={String(retry.delaySeconds)}
          onChange={value => value !== null && change({ retry: { ...retry, delaySeconds: Number(value) } })}
        />
      )}
    </div>
  )
}

/** `hostZone` is offered first. */
export function ScheduleWhen(props: SectionProps & { hostId: string; hostZone: string | null }) {
  const { draft, change, complaints, hostId, hostZone } = props
  const cron = draft.cron ?? ''
  const [asExpression, setAsExpression] = useState(false)
  // What comes back when a manual schedule is planned again.
  const [planned, setPlanned] = useState(cron)
  const rhythm = asExpression ? undefined : rhythmOf(cron)
  const mode: Mode = draft.manual ? 'manual' : (rhythm?.every ?? 'cron')

  const setCron = (next: string) => {
    setPlanned(next)
    change({ cron: next, manual: false })
  }
  const choose = (next: Mode | undefined) => {
    if (next === undefined || next === mode) return
    setAsExpression(next === 'cron')
    if (next === 'manual') return change({ manual: true, cron: undefined })
    if (next === 'cron') return change({ cron: planned, manual: false })
    const old = rhythmOf(planned)
    const clock =
      old !== undefined && 'hour' in old ? { hour: old.hour, minute: old.minute } : nightTime(hostId)
    const rhythms: Record<Rhythm['every'], Rhythm> = {
      hour: { every: 'hour', minute: clock.minute },
      hours: { every: 'hours', hours: 6, minute: clock.minute },
      day: { every: 'day', ...clock },
      workday: { every: 'workday', ...clock },
      week: { every: 'week', day: 0, ...clock },
      month: { every: 'month', date: 1, ...clock },
    }
    setCron(cronOf(rhythms[next]))
  }

  return (
    <section className="form-section" aria-labelledby="when">
      <h2 className="panel-title" id="when">
        When
      </h2>
      <FilterChips label="Rhythm" options={modes} value={mode} onChange={choose} />
      {draft.manual ? (
        <p className="dim">It runs when an operator presses Run now, and never by itself.</p>
      ) : (
        <div className="field-row">
          {mode === 'cron' ? (
            <TextInput
              className="mono-input"
              label="Cron"
              description="minute, hour, day of month, month, day of week"
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              spellCheck={false}
              value={cron}
              error={complaints['cron']}
              onChange={event => setCron(event.currentTarget.value)}
            />
          ) : (
            rhythm !== undefined && <RhythmFields rhythm={rhythm} change={next => setCron(cronOf(next))} />
          )}
          <Select
            label="Time zone"
            searchable
            allowDeselect={false}
            limit={60}
            data={[...new Set([...(hostZone === null ? [] : [hostZone]), draft.timeZone, ...zones])]}
            value={draft.timeZone}
            error={complaints['timeZone']}
            onChange={zone => zone !== null && isTimeZone(zone) && change({ timeZone: zone })}
          />
          <Select
            label="Spread"
            allowDeselect={false}
            data={withValue(spreads, draft.jitterSeconds).map(seconds => ({
              value: String(seconds),
              label: seconds === 0 ? 'none' : `up to ${secondsInWords(seconds)}`,
            }))}
            value={String(draft.jitterSeconds)}
            error={complaints['jitterSeconds']}
            onChange={value => value !== null && change({ jitterSeconds: Number(value) })}
          />
        </div>
      )}
      <BadMoments {...props} />
    </section>
  )
}
