// A believable fleet on paper: sites with stores, hosts with roles and habits, and what is planned on them. No database here.
import type { BackendKind } from '@restic-manager/contract/repository'
import type { Chance } from './chance.ts'

export type PlannedSite = { name: string; timeZone: string; domain: string }

export type PlannedRepository = {
  name: string
  kind: BackendKind
  url: string
  username?: string
  credential?: string
  site: PlannedSite
  sizeBytes: number
  /** By how much of itself it grows in a month. */
  growth: number
  dedupRatio: number
  mayDelete: boolean
}

/** How the backups of a host go. Shares of all slots; days are back from now, null: not at all. */
export type Habit = {
  fails: number
  incomplete: number
  misses: number
  failingDays: number | null
  silentDays: number | null
  incompleteDays: number | null
  reason: string
}

export type PlannedHost = {
  id: string
  name: string
  site: PlannedSite
  tags: string[]
  os: 'linux' | 'windows' | 'darwin'
  arch: 'amd64' | 'arm64'
  agentVersion: string
  resticVersion: string
  state: 'online' | 'offline' | 'waiting' | 'quarantined'
  /** What it has of the plan is older than the server's. */
  drifts: boolean
  repository: number
  second: number | null
  sizeBytes: number
  files: number
  paths: string[]
  habit: Habit
}

const sites: readonly [PlannedSite, ...PlannedSite[]] = [
  { name: 'frankfurt', timeZone: 'Europe/Berlin', domain: 'fra.example.net' },
  { name: 'berlin', timeZone: 'Europe/Berlin', domain: 'berlin.corp.example.com' },
  { name: 'gdansk', timeZone: 'Europe/Warsaw', domain: 'gdansk.warehouse.example.com' },
  { name: 'lyon', timeZone: 'Europe/Paris', domain: 'lyon.example.net' },
  { name: 'dublin', timeZone: 'Europe/Dublin', domain: 'eu-west-1.compute.example.net' },
  { name: 'virginia', timeZone: 'America/New_York', domain: 'us-east-1.compute.example.net' },
  { name: 'denver', timeZone: 'America/Denver', domain: 'den.example.net' },
  { name: 'singapore', timeZone: 'Asia/Singapore', domain: 'sin.apac.example.net' },
  { name: 'sydney', timeZone: 'Australia/Sydney', domain: 'syd.apac.example.net' },
]

type Role = {
  name: string
  tag: string
  os: PlannedHost['os']
  weight: number
  gib: number
  paths: string[]
}

const linux = 'linux' as const
const roles: readonly [Role, ...Role[]] = [
  { name: 'app', tag: 'app', os: linux, weight: 24, gib: 18, paths: ['/etc', '/srv/app', '/var/lib/app'] },
  { name: 'web-frontend', tag: 'web', os: linux, weight: 14, gib: 9, paths: ['/etc', '/var/www'] },
  { name: 'edge-warehouse', tag: 'edge', os: linux, weight: 12, gib: 4, paths: ['/etc', '/opt/edge/data'] },
  { name: 'db-orders', tag: 'database', os: linux, weight: 8, gib: 240, paths: ['/var/backups/postgresql'] },
  { name: 'pg-billing', tag: 'database', os: linux, weight: 5, gib: 410, paths: ['/var/backups/postgresql'] },
  {
    name: 'kubernetes-worker-pool-standard',
    tag: 'k8s',
    os: linux,
    weight: 8,
    gib: 12,
    paths: ['/etc', '/var/lib/rancher'],
  },
  { name: 'files', tag: 'files', os: linux, weight: 4, gib: 1_800, paths: ['/srv/shares'] },
  { name: 'mail', tag: 'mail', os: linux, weight: 3, gib: 620, paths: ['/var/vmail', '/etc'] },
  { name: 'ci-runner', tag: 'ci', os: linux, weight: 5, gib: 3, paths: ['/etc', '/home/runner/config'] },
  { name: 'win-fileserver', tag: 'windows', os: 'windows', weight: 5, gib: 900, paths: ['D:\\Shares'] },
  { name: 'win-dc', tag: 'windows', os: 'windows', weight: 2, gib: 40, paths: ['C:\\Windows\\NTDS'] },
  { name: 'laptop', tag: 'laptop', os: 'darwin', weight: 10, gib: 160, paths: ['/Users'] },
]

const backends: readonly [BackendKind, ...BackendKind[]] = [
  's3',
  'rest',
  'sftp',
  'b2',
  'local',
  's3',
  'azure',
]
const HOSTS_OF_A_REPOSITORY = 60
const GIB = 2 ** 30

/** So many stores for each site that about 60 hosts share one, and at least one of each site with hosts. */
export function planRepositories(chance: Chance, hosts: number): PlannedRepository[] {
  const used = sites.slice(0, Math.max(1, Math.min(sites.length, Math.ceil(hosts / 8))))
  const each = Math.max(1, Math.round(hosts / HOSTS_OF_A_REPOSITORY / used.length))
  return used.flatMap((site, place) =>
    Array.from({ length: each }, (_, index) => {
      const kind = backends[(place * 2 + index) % backends.length] ?? 's3'
      const letter = String.fromCodePoint(97 + (index % 26)) + (index < 26 ? '' : Math.floor(index / 26))
      const name = `${kind}-${site.name}-${letter}`
      return {
        ...{ name, kind, site, ...accessOf(kind, site, letter) },
        sizeBytes: Math.round((0.4 + chance.share() * 6) * 1_024 * GIB),
        growth: 0.01 + chance.share() * 0.09,
        dedupRatio: 1.2 + chance.share() * 2,
        mayDelete: chance.percent(60),
      }
    }),
  )
}

function accessOf(kind: BackendKind, { name, domain }: PlannedSite, letter: string) {
  const secret = { username: 'backup', credential: 'seed-not-a-secret' }
  switch (kind) {
    case 's3':
      return { url: `s3:https://s3.${domain}/restic-${name}-${letter}`, ...secret }
    case 'rest':
      return { url: `rest:https://vault.${domain}:8000/${letter}/`, ...secret }
    case 'sftp':
      return { url: `sftp:backup@vault.${domain}:/srv/restic/${letter}` }
    case 'b2':
      return { url: `b2:restic-${name}-${letter}:fleet`, ...secret }
    case 'azure':
      return {
        url: `azure:restic-${name}-${letter}:/`,
        username: 'backup',
        credential: Buffer.from('seed-not-a-secret').toString('base64'),
      }
    default:
      return { url: `/mnt/backup-${name}/restic-${letter}` }
  }
}

/** The hosts of a fleet. `days` back its records begin. */
export function planHosts(
  chance: Chance,
  repositories: readonly PlannedRepository[],
  { count, days }: { count: number; days: number },
): PlannedHost[] {
  const numbers = new Map<string, number>()
  return Array.from({ length: count }, (_, index) => {
    const repository = index % repositories.length
    const site = repositories[repository]?.site ?? sites[0]
    const role = weighted(chance)
    const number = (numbers.get(`${role.name} ${site.name}`) ?? 0) + 1
    numbers.set(`${role.name} ${site.name}`, number)
    const short = `${role.name}-${site.name}-${String(number).padStart(2, '0')}`
    const staging = chance.percent(12)
    const neighbours = repositories.flatMap((each, place) =>
      each.site === site && place !== repository ? [place] : [],
    )
    const state = stateOf(chance)
    const sizeBytes = Math.round(role.gib * (0.3 + chance.share() * 1.4) * GIB)
    return {
      id: chance.id(),
      name: chance.percent(45) ? `${short}.${site.domain}` : short,
      site,
      tags: [staging ? 'staging' : 'prod', role.tag, site.name],
      os: role.os,
      arch: role.os === 'darwin' || chance.percent(15) ? 'arm64' : 'amd64',
      agentVersion: chance.percent(85) ? '0.1.0' : '0.0.9',
      resticVersion: chance.pick(['0.18.1', '0.18.0', '0.18.0', '0.17.3']),
      state,
      drifts: state === 'offline' ? chance.percent(50) : chance.percent(2),
      repository,
      second:
        neighbours.length > 0 && chance.percent(8) ? chance.pick(neighbours as [number, ...number[]]) : null,
      sizeBytes,
      files: Math.max(200, Math.round((sizeBytes / GIB) * (800 + chance.whole(0, 4_000)))),
      paths: role.paths,
      habit: habitOf(chance, { state, tag: role.tag, days }),
    }
  })
}

function weighted(chance: Chance): Role {
  const all = roles.reduce((sum, role) => sum + role.weight, 0)
  let left = chance.share() * all
  return roles.find(role => (left -= role.weight) < 0) ?? roles[0]
}

function stateOf(chance: Chance): PlannedHost['state'] {
  const at = chance.share() * 100
  if (at < 96.2) return 'online'
  if (at < 99.2) return 'offline'
  return at < 99.6 ? 'waiting' : 'quarantined'
}

const causes = [
  'storage_full',
  'unreachable',
  'locked',
  'backend_auth',
  'wrong_password',
  'hook_failed',
  'timeout',
] as const

function habitOf(chance: Chance, { state, tag, days }: { state: string; tag: string; days: number }): Habit {
  const isShut = state === 'offline' || state === 'quarantined'
  const failing = !isShut && chance.percent(1.6)
  const some = (most: number) => 0.2 + chance.share() * most
  return {
    fails: chance.percent(5) ? 0.06 + chance.share() * 0.1 : 0.006,
    incomplete: chance.percent(4) ? 0.2 : 0.004,
    misses: tag === 'laptop' ? 0.25 : 0.004,
    failingDays: failing ? some(Math.min(9, days)) : null,
    silentDays: isShut ? some(Math.min(20, days)) : null,
    incompleteDays: !failing && chance.percent(2.5) ? some(Math.min(14, days)) : null,
    reason: chance.pick(causes),
  }
}
