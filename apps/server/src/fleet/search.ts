// Things of the fleet found by a few letters of their names; jobs by their id, or by host, kind and status.
import { and, asc, between, desc, eq, inArray, isNull, type SQL, sql, type SQLWrapper } from 'drizzle-orm'
import { JobKind, JobStatus } from '@restic-manager/contract/job'
import type { SearchFound, SearchRequest } from '@restic-manager/contract/search'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { stateOf } from './host-views.ts'
import { hostsIn, jobsIn, repositoriesIn, type Scope } from './scope.ts'

/** Words that are looked at; the rest of a long text would only cost. */
const MOST_WORDS = 6
/** Hosts whose jobs are looked at. */
const MOST_HOSTS = 5
/** Fewer letters of an id name too many jobs. */
const LEAST_ID = 4

type Asked = { words: string[]; limit: number }

/** Finds what has every word of the text. Hosts, repositories and schedules are read whole; of jobs only what an index names. */
export async function findInFleet(
  db: Db,
  scope: Scope,
  { text, limit }: SearchRequest,
): Promise<SearchFound> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS)
  if (words.length === 0) return { hosts: [], repositories: [], schedules: [], jobs: [] }
  const asked = { words, limit }
  const [foundHosts, foundRepositories, foundSchedules, foundJobs] = await Promise.all([
    findHosts(db, scope, asked),
    findRepositories(db, scope, asked),
    findSchedules(db, scope, asked),
    findJobs(db, scope, asked),
  ])
  return {
    hosts: foundHosts,
    repositories: foundRepositories,
    schedules: foundSchedules,
    jobs: foundJobs,
  }
}

const literal = (word: string) => word.replaceAll(/[\\%_]/g, '\\$&')
const holdsAll = (words: readonly string[], where: SQLWrapper): SQL | undefined =>
  and(...words.map(word => sql`${where} ilike ${`%${literal(word)}%`}`))
/** False sorts first: names that begin with the first word. */
const laterIf = (words: readonly string[], name: SQLWrapper): SQL =>
  sql`${name} not ilike ${`${literal(words[0] ?? '')}%`}`

const hostText = sql`(${hosts.name} || ' ' || ${hosts.hostname} || ' ' || array_to_string(${hosts.tags}, ' '))`

const findHosts = (db: Db, scope: Scope, { words, limit }: Asked) =>
  db
    .select({ id: hosts.id, name: hosts.name, state: stateOf, tags: hosts.tags })
    .from(hosts)
    .where(and(isNull(hosts.removedAt), hostsIn(scope), holdsAll(words, hostText)))
    .orderBy(laterIf(words, hosts.name), asc(hosts.name), asc(hosts.id))
    .limit(limit)

const findRepositories = (db: Db, scope: Scope, { words, limit }: Asked) =>
  db
    .select({ id: repositories.id, name: repositories.name, kind: repositories.kind })
    .from(repositories)
    .where(
      and(
        repositoriesIn(scope),
        holdsAll(
          words,
          sql`(${repositories.name} || ' ' || ${repositories.url} || ' ' || ${repositories.kind})`,
        ),
      ),
    )
    .orderBy(laterIf(words, repositories.name), asc(repositories.name), asc(repositories.id))
    .limit(limit)

const findSchedules = (db: Db, scope: Scope, { words, limit }: Asked) =>
  db
    .select({
      id: schedules.id,
      name: schedules.name,
      kind: schedules.kind,
      hostName: hosts.name,
      enabled: schedules.enabled,
    })
    .from(schedules)
    .innerJoin(hosts, eq(hosts.id, schedules.hostId))
    .where(
      and(
        isNull(schedules.deletedAt),
        isNull(hosts.removedAt),
        hostsIn(scope),
        holdsAll(words, sql`(${schedules.name} || ' ' || ${hosts.name} || ' ' || ${schedules.kind})`),
      ),
    )
    .orderBy(laterIf(words, schedules.name), asc(schedules.name), asc(hosts.name), asc(schedules.id))
    .limit(limit)

const isOneOf = <T extends string>(options: readonly T[], word: string): word is T =>
  (options as readonly string[]).includes(word)

/** The id that begins with the text, or the newest of the kinds and statuses that are named, on the hosts that the rest names. */
async function findJobs(db: Db, scope: Scope, { words, limit }: Asked) {
  const which = idsFrom(words) ?? (await namedJobs(db, scope, words))
  if (which === undefined) return []
  return db
    .select({
      id: jobs.id,
      kind: jobs.kind,
      status: jobs.status,
      hostName: hosts.name,
      createdAt: jobs.createdAt,
    })
    .from(jobs)
    .innerJoin(hosts, eq(hosts.id, jobs.hostId))
    .where(and(which, jobsIn(scope)))
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(limit)
}

/** Ids are an index in order, so all that begin alike are one stretch of it. Undefined: this is no beginning of an id. */
function idsFrom(words: readonly string[]): SQL | undefined {
  const [word = '', another] = words
  const digits = word.replaceAll('-', '')
  if (another !== undefined || digits.length < LEAST_ID || !/^[0-9a-f]{1,32}$/.test(digits)) return undefined
  return between(jobs.id, digits.padEnd(32, '0'), digits.padEnd(32, 'f'))
}

async function namedJobs(db: Db, scope: Scope, words: readonly string[]): Promise<SQL | undefined> {
  const kinds = words.filter(word => isOneOf(JobKind.options, word))
  const statuses = words.filter(word => isOneOf(JobStatus.options, word))
  if (kinds.length === 0 && statuses.length === 0) return undefined
  const rest = words.filter(word => !isOneOf(JobKind.options, word) && !isOneOf(JobStatus.options, word))
  const on = rest.length === 0 ? undefined : await findHosts(db, scope, { words: rest, limit: MOST_HOSTS })
  if (on?.length === 0) return undefined
  return and(
    on &&
      inArray(
        jobs.hostId,
        on.map(({ id }) => id),
      ),
    kinds.length === 0 ? undefined : inArray(jobs.kind, kinds),
    statuses.length === 0 ? undefined : inArray(jobs.status, statuses),
  )
}
