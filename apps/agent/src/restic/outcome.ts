// What a run of restic meant: its exit code and its words, as a reason with a stable code.
import { jobReasons, type JobReason } from '@restic-manager/contract/reasons'
import { fitText } from './fit-text.ts'
import type { ResticLine } from './messages.ts'
import type { ResticExit } from './run.ts'

/** Ordered by how much a phrase tells: the first that is found anywhere in restic's words decides. */
const rules: readonly (readonly [RegExp, JobReason])[] = [
  [/wrong password or no key found|an empty password is not/, 'wrong_password'],
  [/already locked( exclusively)? by PID \d+|repository is already locked/, 'locked'],
  [/config file already exists/, 'already_initialised'],
  [/507 Insufficient Storage|no space left on device|disk quota exceeded/, 'storage_full'],
  [/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/, 'host_key_unknown'],
  [
    /\b40[13] (Unauthorized|Forbidden)|unexpected HTTP response \(40[13]\)|Permission denied \(|Access Denied|InvalidAccessKeyId|The AWS Access Key Id you provided|SignatureDoesNotMatch|The request signature we calculated|Server failed to authenticate the request|bad_auth_token|unauthorized: b2_|invalid_grant/,
    'backend_auth',
  ],
  [
    /connection refused|no such host|server misbehaving|i\/o timeout|connection lost|network is unreachable|no route to host|connection reset|Connection (refused|timed out|closed)|Could not resolve hostname|x509:|tls:|server gave HTTP response to HTTPS|context deadline exceeded|executable file not found|unable to start the sftp session|ssh command exited|error talking HTTP to rclone|rclone: .*Failed to|50[234] (Bad Gateway|Service Unavailable|Gateway Timeout)/,
    'unreachable',
  ],
  [
    /repository does not exist|unable to open config file: .*(no such file or directory|does not exist)/,
    'repository_missing',
  ],
  [/unknown (flag|command|shorthand flag)/, 'bad_request'],
  [
    /repository contains errors|index is not complete|not found in (repository|the index)|ciphertext verification failed|invalid data returned/,
    'damaged',
  ],
  [/There were \d+ errors/, 'failed'],
  [/does not exist$|do not exist$|nothing to backup|all (source|target) directories/m, 'source_missing'],
  [
    /no policy was specified|refusing to delete last snapshot|invalid argument|invalid pattern|must be above|[Pp]lease specify|mutually exclusive|parsing repository location failed|invalid backend|Resolving password failed|pack size larger|invalid compression|refusing to remove key|not found in snapshot/,
    'bad_request',
  ],
  [/permission denied|operation not permitted|read-only file system/, 'permission'],
  // Last: a new restic also says so in the wake of other failures. Who cancels himself does not ask.
  [/context canceled|signal (interrupt|terminated) received/, 'killed'],
]

/** 0.17 and later say these by their exit code. */
const byExitCode: Record<number, JobReason> = { 10: 'repository_missing', 11: 'locked', 12: 'wrong_password' }

/** restic's own words about a run, in bounded memory: its first and last lines of text on stderr, and its last error. */
export type Evidence = {
  hear(line: ResticLine): void
  words(): string
}

const HEAD = 40
const TAIL = 160
const MAX_LINE = 2_000

/** Collects what a run says about itself. Errors of single files are not about the run. */
export function gatherEvidence(): Evidence {
  const head: string[] = []
  const tail: string[] = []
  let fatal = ''
  return {
    hear({ stream, payload, message }) {
      if (message?.type === 'exit_error') fatal = message.message
      if (stream !== 'stderr') return
      const line = payload.slice(0, MAX_LINE)
      if (head.length < HEAD) head.push(line)
      else if (tail.push(line) > TAIL) tail.shift()
    },
    words: () => [fatal, ...head, ...tail].filter(Boolean).join('\n'),
  }
}

/** Whether a line says that a request to the storage failed and is tried again. */
export const isRetry = (text: string): boolean => text.includes('returned error, retrying after')

const removal = /^Remove\(<(?:snapshot|index|data|pack)\/[0-9a-f]+>\) (returned error, retrying|failed)/
const denial = /\b40[135]\b|Access ?Denied|permission denied|operation not permitted|read-only file system/i

/** Whether a line says that the storage does not let restic delete, and whether restic asks again all the same. */
export function deletionRefusal(text: string): { words: string; isRetried: boolean } | undefined {
  const [, how] = removal.exec(text) ?? []
  if (how === undefined || !denial.test(text)) return undefined
  return { words: text.slice(0, 600), isRetried: how !== 'failed' }
}

/** Why a run that did not succeed failed. */
export function failureReason(exit: ResticExit, words: string): JobReason {
  if (exit.failure !== undefined || exit.exitCode === 127 || exit.exitCode === 126)
    return exit.failure?.includes('E2BIG') === true ? 'bad_request' : 'restic_missing'
  if (exit.signal !== undefined) return 'killed'
  return byExitCode[exit.exitCode ?? 0] ?? reasonInWords(words) ?? 'failed'
}

/** What a run that was stopped because it got nowhere had tried against. Undefined when it did not say. */
export function reasonOfSilence(words: string): JobReason | undefined {
  const reason = reasonInWords(words)
  return reason === 'killed' ? undefined : reason
}

function reasonInWords(words: string): JobReason | undefined {
  return rules.find(([phrase]) => phrase.test(words))?.[1]
}

/** The sentence for a reason, with restic's own words where it said something. */
export function failureSentence(reason: JobReason, words: string): string {
  const said = tellingLine(reason, words)
  return fitText(said === '' ? jobReasons[reason] : `${jobReasons[reason]} restic said: ${said}`, 2_000)
}

/** The line that decided, else restic's last word on it, without what Go adds. */
function tellingLine(reason: JobReason, words: string): string {
  const lines = words
    .split('\n')
    .map(line => line.trim())
    .filter(
      line =>
        line !== '' &&
        !/^(goroutine \d+|github\.com\/|main\.|runtime\.|\/\S+\.go:\d+|Is there a repository|signal \w+ received)/.test(
          line,
        ),
    )
  const phrases = rules.filter(([, code]) => code === reason).map(([phrase]) => phrase)
  // Whom restic sends ahead knows better what is wrong.
  const helpers = lines.filter(each => /^(subprocess ssh|rclone): /.test(each))
  const line =
    [...helpers, ...lines].find(each => phrases.some(phrase => phrase.test(each))) ??
    lines.find(each => each.includes('Fatal:')) ??
    lines[0] ??
    ''
  return line.replace(/^(Fatal: )+/, '').slice(0, 600)
}
