// The words of the command line: which commands there are, what each takes, and what to say to a wrong one.
import { parseArgs } from 'node:util'
import { environmentHelp } from './config.ts'

/** The command line cannot be understood. The message names what is wrong and what is accepted. */
export class BadUsage extends Error {}

type Flag = { type: 'string' | 'boolean'; value?: string; says: string; required?: true }

/** `takes`: the one word that may follow the command. */
type Command = { says: string; takes?: { value: string; says: string }; flags: Record<string, Flag> }

const stateDir: Flag = { type: 'string', value: 'DIR', says: 'where the agent keeps its key and its records' }

const policyFile: Flag = { type: 'string', value: 'FILE', says: 'what this host allows a server' }

const commands = {
  enrol: {
    says: 'make this machine a host of a server',
    flags: {
      server: {
        type: 'string',
        value: 'URL',
        says: 'the server, such as https://backup.example.com',
        required: true,
      },
      token: {
        type: 'string',
        value: 'TOKEN',
        says: 'the token that the dashboard shows for a new host',
        required: true,
      },
      'state-dir': stateDir,
      name: {
        type: 'string',
        value: 'NAME',
        says: "the host's name in the dashboard (default: its host name)",
      },
      'ca-pin': {
        type: 'string',
        value: 'PIN',
        says: 'the authority to trust for the server, instead of those the system trusts',
      },
      'allow-plain-http': { type: 'boolean', says: 'speak to a server elsewhere without encryption' },
    },
  },
  run: {
    says: 'connect to the server and do its backups',
    flags: { 'state-dir': stateDir, 'policy-file': policyFile },
  },
  status: {
    says: 'say how this agent stands',
    flags: {
      'state-dir': stateDir,
      'policy-file': policyFile,
      json: { type: 'boolean', says: 'as JSON, for programs' },
    },
  },
  'check-policy': {
    says: 'say what a policy file allows, or what is wrong with it',
    takes: { value: 'FILE', says: 'the file to read (default: the one that the agent follows)' },
    flags: { 'state-dir': stateDir },
  },
  'rotate-key': {
    says: 'give this host another key, and have the old one refused',
    flags: { 'state-dir': stateDir },
  },
  version: { says: 'print the version', flags: {} },
} as const satisfies Record<string, Command>

export type CommandLine =
  | {
      command: 'enrol'
      server: string
      token: string
      stateDir?: string
      name?: string
      caPin?: string
      allowPlainHttp: boolean
    }
  | { command: 'run'; stateDir?: string; policyFile?: string }
  | { command: 'status'; stateDir?: string; policyFile?: string; json: boolean }
  | { command: 'check-policy'; stateDir?: string; policyFile?: string }
  | { command: 'rotate-key'; stateDir?: string }
  | { command: 'version' }
  | { command: 'help'; text: string }

/** Reads a command line without the program's own name. Throws `BadUsage`. */
export function readCommandLine(words: readonly string[]): CommandLine {
  const [command, ...rest] = words
  if (command === undefined)
    throw new BadUsage(`Say what to do: ${Object.keys(commands).join(', ')}.\n\n${overview()}`)
  if (['--help', '-h', 'help'].includes(command)) return { command: 'help', text: overview() }
  if (command === '--version' || command === '-v') return { command: 'version' }
  if (!isCommand(command))
    throw new BadUsage(
      `There is no command ${JSON.stringify(command)}. The commands are ${Object.keys(commands).join(', ')}.`,
    )
  if (rest.includes('--help') || rest.includes('-h')) return { command: 'help', text: helpOf(command) }
  const { values, word } = readWords(command, rest)
  const text = (name: string) => values[name] as string | undefined
  const folder = text('state-dir')
  const shared = folder === undefined ? {} : { stateDir: folder }
  const file = text('policy-file')
  const local = { ...shared, ...(file === undefined ? {} : { policyFile: file }) }
  switch (command) {
    case 'enrol': {
      const name = text('name')
      const caPin = text('ca-pin')
      return {
        command,
        ...shared,
        ...(name === undefined ? {} : { name }),
        ...(caPin === undefined ? {} : { caPin }),
        server: text('server') as string,
        token: text('token') as string,
        allowPlainHttp: values['allow-plain-http'] === true,
      }
    }
    case 'status':
      return { command, ...local, json: values.json === true }
    case 'run':
      return { command, ...local }
    case 'check-policy':
      return { command, ...shared, ...(word === undefined ? {} : { policyFile: word }) }
    case 'rotate-key':
      return { command, ...shared }
    case 'version':
      return { command }
  }
}

type Words = { values: Record<string, unknown>; word: string | undefined }

function readWords(command: keyof typeof commands, words: string[]): Words {
  const { flags, takes: wordTaken }: Command = commands[command]
  const options = Object.fromEntries(Object.entries(flags).map(([name, { type }]) => [name, { type }]))
  const { values, positionals, tokens } = parseArgs({
    args: words,
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const accepted = [
    ...(wordTaken === undefined ? [] : [wordTaken.value]),
    ...Object.entries(flags).map(([name, flag]) => spell(name, flag)),
  ]
  const takes =
    accepted.length === 0 ? `${command} takes no flags.` : `${command} takes ${accepted.join(', ')}.`
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const flag = flags[token.name]
    if (flag === undefined) throw new BadUsage(`There is no flag ${token.rawName} here. ${takes}`)
    if (flag.type === 'string' && (token.value === undefined || token.value === ''))
      throw new BadUsage(`${token.rawName} needs a value: ${spell(token.name, flag)}. ${takes}`)
    if (flag.type === 'boolean' && token.value !== undefined)
      throw new BadUsage(`${token.rawName} takes no value, and got ${JSON.stringify(token.value)}.`)
  }
  const [tooMuch] = positionals.slice(wordTaken === undefined ? 0 : 1)
  if (tooMuch !== undefined) throw new BadUsage(`${JSON.stringify(tooMuch)} is too much here. ${takes}`)
  const word = wordTaken === undefined ? undefined : positionals[0]
  if (word === '') throw new BadUsage(`${wordTaken?.value} is empty. ${takes}`)
  for (const [name, flag] of Object.entries(flags))
    if (flag.required && values[name] === undefined)
      throw new BadUsage(`${spell(name, flag)} is missing. ${takes}`)
  return { values, word }
}

const isCommand = (word: string): word is keyof typeof commands => Object.hasOwn(commands, word)

const spell = (name: string, flag: Flag) =>
  flag.value === undefined ? `--${name}` : `--${name} ${flag.value}`

function overview(): string {
  const list = Object.entries(commands).map(([name, { says }]) => `  ${name.padEnd(14)}${says}`)
  return `restic-manager agent: runs restic on this machine for a restic-manager server.

Usage: agent COMMAND [FLAGS]

${list.join('\n')}

agent COMMAND --help says more. The environment:
${environmentHelp}
`
}

function helpOf(command: keyof typeof commands): string {
  const { says, takes, flags }: Command = commands[command]
  const list = [
    ...(takes === undefined ? [] : [`  ${takes.value.padEnd(22)}${takes.says}`]),
    ...Object.entries(flags).map(([name, flag]) => `  ${spell(name, flag).padEnd(22)}${flag.says}`),
  ]
  return `agent ${command}: ${says}\n${list.length === 0 ? '' : `\n${list.join('\n')}\n`}`
}
