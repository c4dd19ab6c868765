// The text of a policy file: what it may say, and what is wrong with one, by its line.
import { isAbsolute } from 'node:path'
import { complaintAboutPattern } from '@restic-manager/contract/policy'
import { z } from 'zod'
import { readJsonLines } from './json-lines.ts'
import { fitText } from './restic/fit-text.ts'

const absolutePath = z
  .string()
  .max(4_096)
  .refine(isAbsolute, 'must be an absolute path')
  .refine(path => !path.split(/[\\/]/).includes('..'), 'must not contain ".."')

/** A pattern of repository addresses. `*` is a part of one step, `**` at the end is everything below. */
const AddressPattern = z
  .string()
  .min(1)
  .max(400)
  .superRefine((pattern, ctx) => {
    const complaint = complaintAboutPattern(pattern)
    if (complaint !== undefined) ctx.addIssue({ code: 'custom', message: complaint })
  })

const kibps = z.int().min(1).max(100_000_000)

/** Strict: a word this agent does not know may be a limit it would not keep. */
const PolicyFile = z.strictObject({
  hooks: z.enum(['off', 'listed', 'inline']).optional(),
  hooksFolder: absolutePath.optional(),
  repositories: z.array(AddressPattern).max(100).optional(),
  environment: z
    .array(z.string().regex(/^[A-Z][A-Z0-9_]{0,59}$/))
    .max(100)
    .optional(),
  uploadKibps: kibps.optional(),
  downloadKibps: kibps.optional(),
  restoreRoots: z.array(absolutePath).max(20).optional(),
  restoreInPlace: z.boolean().optional(),
})
export type PolicyFile = z.infer<typeof PolicyFile>

/** What each key takes, for whoever wrote something else. */
const accepted: Record<keyof PolicyFile, string> = {
  hooks: '"off", "listed" or "inline"',
  hooksFolder: 'one absolute path without ".."',
  repositories:
    'a list of at most 100 addresses, such as "rest:https://vault.example.com/**" or "/var/backups/restic/**"',
  environment: 'a list of at most 100 names, such as "RESTIC_CACERT"; [] for none',
  uploadKibps: 'a whole number of KiB per second, from 1 to 100000000',
  downloadKibps: 'a whole number of KiB per second, from 1 to 100000000',
  restoreRoots: 'a list of at most 20 absolute paths without ".."',
  restoreInPlace: 'true or false',
}
const isKey = (word: string): word is keyof PolicyFile => Object.hasOwn(accepted, word)

/** Reads the text of `file`. A complaint names the file, the line, the key, what is wrong there and what is accepted. */
export function readPolicyText(file: string, text: string): { said: PolicyFile } | { complaint: string } {
  const { lines, fault } = readJsonLines(text)
  const at = (line = 1) => `${file}, line ${line}:`
  if (fault !== undefined)
    return {
      complaint: `${at(fault.line)} ${fault.says}. Accepted is plain JSON: without comments, and without a comma after the last entry.`,
    }
  const said: unknown = JSON.parse(text)
  if (typeof said !== 'object' || said === null || Array.isArray(said))
    return {
      complaint: `${at()} the file is ${shown(said)}. Accepted are keys in braces, such as {"hooks": "off"}.`,
    }
  const stray = Object.keys(said).find(key => !isKey(key))
  if (stray !== undefined)
    return {
      complaint: `${at(lines.get(stray))} ${shown(stray)} is no key of a policy file. Accepted: ${Object.keys(accepted).join(', ')}.`,
    }
  const read = PolicyFile.safeParse(said)
  if (read.success) return { said: read.data }
  const [{ path, message, code } = { path: [], message: '', code: 'custom' }] = read.error.issues
  const key = String(path[0])
  const value = path.reduce<unknown>((inner, step) => (inner as Record<PropertyKey, unknown>)[step], said)
  // Our own rules begin with "must"; a complaint about a pattern names the pattern itself.
  const what =
    code !== 'custom'
      ? `is ${shown(value)}`
      : message.startsWith('must')
        ? `${shown(value)} ${message}`
        : message
  const takes = isKey(key) ? accepted[key] : ''
  return {
    complaint: `${at(lines.get(path.join('.')))} ${shown(key)}: ${what.replace(/\.$/, '')}. Accepted: ${takes}.`,
  }
}

const shown = (value: unknown) => fitText(JSON.stringify(value) ?? 'nothing', 200)
