// What a fake restic is told to do: the language of its scripts.

/** One thing a run does, in order. A run whose steps are used up ends with exit code 0. */
export type FakeStep =
  /** A line of text, or an object as a line of JSON. Goes to stdout unless `to` says otherwise. */
  | { print: string | object; to?: 'stdout' | 'stderr' }
  /** Waits until the test opens the gate of that name. A run that hangs waits at a gate nobody opens. */
  | { wait: string }
  | { sleepMs: number }
  /** Many lines, as fast as they are read or at a rate. `text` is repeated after the line's number. */
  | { flood: { lines: number; linesPerSecond?: number; text?: string; to?: 'stdout' | 'stderr' } }
  /** One line of that many bytes, newline included. */
  | { longLine: { bytes: number; to?: 'stdout' | 'stderr' } }
  /** A captured timeline, exit included, `speed` times as fast as it was captured (default: without waiting). */
  | { replay: string; speed?: number }
  /** Saves a snapshot and prints the summary of it, with these fields over the usual ones. */
  | { summary: Record<string, unknown> }
  | { exit: number }
  /** Dies by that signal at once, as in a crash: no clean-up, the lock stays. */
  | { crash: NodeJS.Signals }

/** What a run does, and what it does when it is told to stop (default: what restic of that version does). */
export type FakeRun = { steps: FakeStep[]; interrupted?: 'ignored' | FakeStep[] }

/**
 * The whole script. `runs` is keyed by subcommand (`backup`, `init`, `cat config`, `list locks`); of a list the
 * nth call takes the nth and later calls the last. A subcommand that is not there is answered from the ledger,
 * in the way of `version`.
 */
export type FakeScript = {
  /** Claimed version, `0.18.0` when left out. From 0.17 on it speaks as 0.18.0 does, before that as 0.14.0. */
  version?: string
  /** When given, any other password is wrong. */
  password?: string
  /** False: a repository is missing until `init` makes it. */
  initialised?: boolean
  /** The id in `cat config`; made from the repository's address when left out. */
  repositoryId?: string
  /** The machine's name in locks, and in snapshots where restic is not given `--host`. Default: the real one. */
  hostname?: string
  runs?: Record<string, FakeRun | FakeRun[]>
}

const subcommands = new Set(
  'backup cat check copy diff dump find forget init key list ls migrate prune repair restore snapshots stats tag unlock version'.split(
    ' ',
  ),
)

/** The subcommand in an argv, with its first word for those that need one: `cat config`, `list locks`. */
export function subcommandOf(argv: readonly string[]): string {
  const at = argv.findIndex(word => subcommands.has(word))
  const word = argv[at] ?? argv.find(each => !each.startsWith('-')) ?? ''
  if (word !== 'cat' && word !== 'list' && word !== 'key') return word
  const object = argv.slice(at + 1).find(each => !each.startsWith('-'))
  return object === undefined ? word : `${word} ${object}`
}

/** Values of a flag that may be repeated, in both spellings: `--tag a --tag=b`. */
export function flagValues(argv: readonly string[], flag: string): string[] {
  return argv.flatMap((word, at) => {
    if (word === flag) return argv[at + 1] ?? []
    return word.startsWith(`${flag}=`) ? word.slice(flag.length + 1) : []
  })
}

/** Whether a version has the exit codes and the JSON that came with 0.17. */
export function isModern(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 0 || minor >= 17
}
