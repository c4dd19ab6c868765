// The command line as a person may see it: secrets masked, the repository spelt out.
import type { Target } from './args.ts'
import { visibleEnvironment } from './environment.ts'
import { fitText } from './fit-text.ts'

/** The longest text that is shown. The contract takes 100,000 characters. */
const MAX_SHOWN = 90_000

/** What is shown besides restic's own arguments. `before`: programs restic is started by. */
export type ShownExtras = { paths?: readonly string[]; before?: readonly string[] }

/** One command. The paths stand at its end, as many of them as fit. */
export function shownCommand(
  target: Target,
  args: readonly string[],
  { paths = [], before = [] }: ShownExtras = {},
): string {
  let text = shownCommands(target, [[...args, ...(paths.length > 0 ? ['--'] : [])]], before)
  for (const [index, path] of paths.entries()) {
    const word = quoteWord(path)
    if (text.length + word.length > MAX_SHOWN) return `${text} … and ${paths.length - index} more paths`
    text += ` ${word}`
  }
  return text
}

/** Several commands one after another on the same repository, as many of them as fit. */
export function shownCommands(
  target: Target,
  commands: readonly (readonly string[])[],
  before: readonly string[] = [],
): string {
  let text = visibleEnvironment(target.access, target.version)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')
  for (const [index, args] of commands.entries()) {
    const words = [...before, 'restic', '-r', target.access.url, ...args]
    const line = `${text === '' ? '' : '\n'}${words.map(quoteWord).join(' ')}`
    if (text.length + line.length > MAX_SHOWN) {
      const room = Math.max(0, MAX_SHOWN - text.length)
      const rest = commands.length - index - 1
      return `${fitText(text + line.slice(0, room), MAX_SHOWN)} …${rest > 0 ? ` and ${rest} more` : ''}`
    }
    text += line
  }
  return text
}

/** As a shell would need it. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
