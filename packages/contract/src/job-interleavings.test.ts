// The status table under every order of cancel, finish, loss and late facts that chance can draw.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EndStatus, type JobStatus, nextStatuses, provisionalStatuses, statusesBefore } from './job.ts'
import { hasEnded } from './job-ended.ts'

type Job = { status: JobStatus; reported: boolean }

/** A guess or a wish of the server: along the table, and never over what an agent told as the end. */
const guess = (job: Job, to: JobStatus): Job =>
  !job.reported && (nextStatuses[job.status] as readonly JobStatus[]).includes(to)
    ? { status: to, reported: false }
    : job

/** A fact of the agent: along the table too, and over everything that was only a guess. */
function tell(job: Job, to: JobStatus): Job {
  const gives = !job.reported && (provisionalStatuses as readonly JobStatus[]).includes(job.status)
  if (job.reported || !(gives || statusesBefore(to).includes(job.status))) return job
  return { status: to, reported: (EndStatus.options as readonly JobStatus[]).includes(to) }
}

const wishes = fc.constantFrom<JobStatus>('cancelled', 'expired', 'lost', 'missed', 'skipped', 'queued')
const begins = fc.constantFrom<JobStatus>('queued', 'skipped', 'missed')

/** What an agent lives through, in order: each fact may come late and again, but never before an earlier one came once. */
const lives = fc
  .tuple(fc.constantFrom(0, 1, 2, 3), fc.constantFrom(...EndStatus.options))
  .map(([told, end]) => (['accepted', 'running', end] as const).slice(0, told))

type Event = { wish: JobStatus } | { fact: number }

const stories = fc.tuple(begins, lives).chain(([begin, life]) =>
  fc
    .array(
      fc.oneof(
        wishes.map((wish): Event => ({ wish })),
        fc.nat(Math.max(0, life.length - 1)).map((fact): Event => ({ fact })),
      ),
      { maxLength: 30 },
    )
    .map(drawn => {
      // Facts are sent one at a time, each repeated until its ack is in: none overtakes another for the first time.
      let next = 0
      const events = drawn.flatMap((event): Event[] => {
        if ('wish' in event) return [event]
        if (life.length === 0) return []
        const fact = Math.min(event.fact, next)
        next = Math.max(next, fact + 1)
        return fact < life.length ? [{ fact }] : []
      })
      const rest = life.map((_, fact): Event => ({ fact })).slice(next)
      return { begin, life, events: [...events, ...rest] }
    }),
)

test('whatever the server guessed meanwhile, a job ends as its agent told, and stays so', () => {
  fc.assert(
    fc.property(stories, ({ begin, life, events }) => {
      let job: Job = { status: begin, reported: false }
      let isOver = false
      for (const event of events) {
        const before = job
        if ('wish' in event) job = guess(job, event.wish)
        else job = tell(job, life[event.fact] ?? 'lost')
        if (isOver) expect(job).toEqual(before)
        isOver ||= job.reported
      }
      const end = life.find(status => hasEnded(status))
      if (end !== undefined) expect(job).toEqual({ status: end, reported: true })
      else expect(job.reported).toBe(false)
    }),
    { numRuns: 5_000 },
  )
})

test('a repeated fact changes nothing that came after it', () => {
  fc.assert(
    fc.property(fc.constantFrom(...EndStatus.options), wishes, (end, wish) => {
      const running = tell(tell({ status: 'queued', reported: false }, 'accepted'), 'running')
      expect(tell(running, 'accepted')).toEqual(running)
      const ended = tell(running, end)
      for (const late of ['accepted', 'running', ...EndStatus.options] as const)
        expect(tell(ended, late)).toEqual(ended)
      expect(guess(ended, wish)).toEqual(ended)
    }),
  )
})

test('no guess brings a job back to life that the agent has begun', () => {
  fc.assert(
    fc.property(fc.constantFrom<JobStatus>('accepted', 'running'), fc.array(wishes), (begun, drawn) => {
      let job = drawn.reduce(guess, { status: begun, reported: false } as Job)
      // What is lost for now may be told to go on, never ordered anew.
      expect(['accepted', 'running', 'lost', 'cancelled']).toContain(job.status)
      job = tell(job, 'running')
      expect(['running']).toContain(job.status)
    }),
  )
})
