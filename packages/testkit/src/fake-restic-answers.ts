// How the fake restic answers a subcommand that its script does not mention, in the words of its version.
import { isModern, type FakeStep } from './fake-restic-script.ts'
import { chosenSnapshots, fatal, type Call } from './fake-restic-call.ts'
import { check, forget, prune } from './fake-restic-maintenance.ts'
import { hashOf, isMade, locksOf, record, snapshotsOf } from './fake-restic-ledger.ts'

/** What stops any subcommand before its work: no repository, a wrong password. */
export function refusal(call: Call): FakeStep[] | undefined {
  const { command, repository, script, ledger } = call
  if (command === 'version') return undefined
  if (repository === '')
    return fatal(call, 1, 'Fatal: Please specify repository location (-r or --repository-file)')
  if (command === 'init') return undefined
  if (script.initialised === false && !isMade(ledger, repository)) {
    const missing = `unable to open config file: stat ${repository}/config: no such file or directory`
    const hint = `Is there a repository at the following location?\n${repository}`
    return fatal(
      call,
      10,
      `Fatal: ${isModern(call.version) ? 'repository does not exist: ' : ''}${missing}\n${hint}`,
    )
  }
  if (script.password !== undefined && call.password !== script.password) {
    return fatal(call, 12, 'Fatal: wrong password or no key found')
  }
  return undefined
}

/** The steps that answer a subcommand from the ledger. */
export function answer(call: Call): FakeStep[] {
  const { command, argv, repository, machine, version, ledger } = call
  const asJson = argv.includes('--json')
  switch (command) {
    case 'version':
      return isModern(version) && asJson
        ? [
            {
              print: {
                message_type: 'version',
                version,
                go_version: 'go1.24.4',
                go_os: 'linux',
                go_arch: 'amd64',
              },
            },
          ]
        : [{ print: `restic ${version} compiled with go1.24.4 on linux/amd64` }]
    case 'init':
      return init(call)
    case 'cat config':
      return [
        {
          print: JSON.stringify(
            { version: 2, id: repositoryId(call), chunker_polynomial: '34502db768e467' },
            null,
            2,
          ),
        },
      ]
    case 'cat lock': {
      const lock = locksOf(ledger, repository, machine).find(({ id }) =>
        argv.some(word => word.length >= 8 && id.startsWith(word)),
      )
      return lock
        ? [{ print: JSON.stringify(lock.body, null, 2) }]
        : fatal(call, 1, 'Fatal: no matching ID found for prefix')
    }
    case 'list locks':
      return locksOf(ledger, repository, machine).map(({ id }) => ({ print: id }))
    case 'snapshots':
      return [{ print: JSON.stringify(chosenSnapshots(call)) }]
    case 'stats':
      return [{ print: stats(call) }]
    case 'unlock':
      return unlock(call)
    case 'backup':
      return [{ summary: {} }]
    case 'forget':
      return forget(call)
    case 'prune':
      return prune(call)
    case 'check':
      return check(call)
    default:
      return [{ print: `unknown command ${JSON.stringify(command)} for "restic"`, to: 'stderr' }, { exit: 1 }]
  }
}

/** How a run of that version ends when it is told to stop. */
export function afterSignal({ version, command }: Call, signal: NodeJS.Signals): FakeStep[] {
  const word = signal === 'SIGINT' ? 'interrupt' : 'terminated'
  const heard: FakeStep = { print: `\u001B[2Ksignal ${word} received, cleaning up`, to: 'stderr' }
  if (!isModern(version)) return [heard, { exit: 130 }]
  const canceled =
    command === 'backup' ? 'Fatal: unable to save snapshot: context canceled' : 'context canceled'
  return [heard, ...fatal({ version }, 1, canceled)]
}

function repositoryId({ script, repository }: Call): string {
  return script.repositoryId ?? hashOf(repository)
}

function init(call: Call): FakeStep[] {
  const { folder, run, script, ledger, repository, version } = call
  if (script.initialised !== false || isMade(ledger, repository)) {
    const already = 'config file already exists'
    const failed = `Fatal: create repository at ${repository} failed: `
    const modern = `${failed}Fatal: unable to open repository at ${repository}: ${already}\n`
    return fatal(call, 1, isModern(version) ? modern : failed + already)
  }
  record(folder, { event: 'initialised', run, at: new Date().toISOString() })
  const id = repositoryId(call)
  return isModern(version)
    ? [{ print: { message_type: 'initialized', id, repository } }]
    : [{ print: `created restic repository ${id.slice(0, 10)} at ${repository}` }]
}

function stats({ ledger, repository, version }: Call) {
  const snapshots_count = snapshotsOf(ledger, repository).length
  const total_size = snapshots_count * 1024
  return isModern(version)
    ? {
        total_size,
        total_uncompressed_size: total_size * 2,
        compression_ratio: 2,
        compression_progress: 100,
        compression_space_saving: 50,
        total_blob_count: snapshots_count,
        snapshots_count,
      }
    : { total_size, total_file_count: 0, total_blob_count: snapshots_count, snapshots_count }
}

function unlock({ folder, run, argv, ledger, repository, machine, version }: Call): FakeStep[] {
  const all = argv.includes('--remove-all')
  const removed = locksOf(ledger, repository, machine).filter(lock => all || !isAlive(lock.body.pid))
  const locks = removed.map(({ id }) => id)
  record(folder, { event: 'unlocked', run, at: new Date().toISOString(), locks })
  if (!isModern(version)) return [{ print: 'successfully removed locks' }]
  return locks.length === 0 ? [] : [{ print: `successfully removed ${locks.length} locks` }]
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
