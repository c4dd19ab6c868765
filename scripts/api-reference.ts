// `npm run api-reference`: writes docs/api.md from the operators' routers, their rules, their schemas and their docstrings.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { z } from 'zod'
import { type Role } from '@restic-manager/contract/role'
import { type RefusalCode, refusals } from '@restic-manager/contract/refusal'
import { operatorRouter } from '../apps/server/src/operator-api/router.ts'
import type { AnyRule } from '../apps/server/src/operator-api/rules.ts'
import { fillSlots, inputsOf } from '../apps/server/src/testing-inputs.ts'
import { type ProcedureDoc, readProcedureDocs } from './api-docs.ts'
import { readTypeNames, type TypeNames, typeWriter } from './api-types.ts'
import { takeNoArguments } from './no-arguments.ts'
import { root } from './processes.ts'

type Procedure = {
  _def: {
    type: 'query' | 'mutation' | 'subscription'
    inputs: z.ZodType[]
    output?: z.ZodType
    meta?: { role: Role; rule: AnyRule }
  }
}
const procedures = operatorRouter._def.procedures as unknown as Record<string, Procedure>

export const referenceFile = path.join(root, 'docs/api.md')

/** What a field is like in an example, where its type does not say. */
const words = {
  ...{ name: 'nightly', confirmName: 'web-1', url: '/srv/backup', cron: '10 23 * * *', timeZone: 'UTC' },
  ...{ tags: ['berlin'], email: 'ada@example.org', password: '…', code: '123456', ticket: '…', label: 'x' },
  ...{
    scopes: ['jobs:read'],
    response: {},
    retention: { daily: 7 },
    cursor: '…',
    search: 'web',
    tag: 'berlin',
  },
  ...{ paths: ['/srv'], text: 'web', snapshotId: '…', action: 'hosts.update', reason: 'maintenance' },
}

/** What a rule and a schema alone say of refusals. */
function codesOf({ rule }: { rule: AnyRule }, fields: ReadonlySet<string>, doc: ProcedureDoc): RefusalCode[] {
  const kinds = typeof rule.of === 'string' ? [] : Object.values(rule.of as Record<string, string>)
  const things = kinds.flatMap(kind => {
    const code = `${kind.replace(/^(shared |own )|s$/g, '')}_not_found`
    return Object.hasOwn(refusals, code) ? [code] : []
  })
  const byField = { requestId: 'request_reused', version: 'version_stale', confirmName: 'not_confirmed' }
  return [
    ...new Set([
      ...things,
      ...Object.entries(byField).flatMap(([field, code]) => (fields.has(field) ? [code] : [])),
      ...(rule.fresh === undefined ? [] : ['second_factor_needed']),
      ...doc.throws,
    ]),
  ].toSorted() as RefusalCode[]
}

/** The fields of an input, also of one that comes in kinds. */
function fieldsOf(schema: z.ZodType | undefined): Set<string> {
  const def = (schema?._zod.def ?? {}) as unknown as { shape?: object; options?: z.ZodType[] }
  const fields = new Set(Object.keys(def.shape ?? {}))
  for (const option of def.options ?? []) for (const field of fieldsOf(option)) fields.add(field)
  return fields
}

const said = {
  query: 'Query',
  mutation: 'Mutation',
  subscription: 'Subscription, over the WebSocket',
} as const
const id = '0199f0a2-7c1e-7d3a-9b1f-3a5c8e2d4f60'

/** A curl and a line of the typed client, for what a key may do at all. */
function examplesOf(path: string, { type, inputs, meta }: Procedure['_def']): string {
  const [schema] = inputs
  const rule = meta?.rule
  const fields = rule === undefined || typeof rule.of === 'string' ? [] : Object.keys(rule.of)
  const input =
    schema === undefined
      ? undefined
      : fillSlots(exampleOf(inputsOf(schema, { words, ids: ['snapshotId'], with: fields })), () => id)
  const json = JSON.stringify({ json: input })
  const key = `-H "Authorization: Bearer $RM_API_KEY"`
  const asked = input === undefined ? '' : ` --data-urlencode 'input=${json}'`
  const curl =
    type === 'query'
      ? `curl -sG ${key} "$RM_URL/trpc/${path}"${asked}`
      : `curl -s ${key} -H 'content-type: application/json' -d '${input === undefined ? '{}' : json}' "$RM_URL/trpc/${path}"`
  const argument =
    input === undefined
      ? ''
      : JSON.stringify(input)
          .replaceAll(/"(\w+)":/g, ' $1: ')
          .replaceAll('"', "'")
          .replaceAll('}', ' }')
  const call =
    type === 'subscription'
      ? `for await (const value of client.api.${path}.subscribe(${argument})) console.log(value)`
      : `await client.api.${path}.${type === 'query' ? 'query' : 'mutate'}(${argument})`
  if (rule?.fresh === true) return ''
  const shell = type === 'subscription' ? '' : `\`\`\`sh\n${curl}\n\`\`\`\n`
  return `${shell}\`\`\`ts\n${call}\n\`\`\`\n`
}

/** Of an input that comes in kinds a backup, which people know best. */
const exampleOf = (inputs: unknown[]): unknown =>
  inputs.find(input => (input as { kind?: unknown } | undefined)?.kind === 'backup') ?? inputs[0]

function repeatOf({ type, inputs }: Procedure['_def'], doc: ProcedureDoc): string {
  if (doc.repeat !== undefined) return doc.repeat
  if (type !== 'mutation') return 'yes'
  return fieldsOf(inputs[0]).has('requestId')
    ? 'yes: with the same `requestId` it does it once, and answers the same'
    : 'yes: done twice is done once'
}

const scopeOf = (path: string, type: string) =>
  `\`${path.split('.')[0]}:${type === 'mutation' ? 'write' : 'read'}\``

function freshOf({ fresh }: AnyRule): string {
  if (fresh === undefined) return 'no'
  return fresh === true
    ? 'yes: no API key can do this'
    : 'where it removes something or runs a program of its own: an API key cannot do that'
}

function reachOf({ of }: AnyRule): string {
  if (of === 'self') return 'own account, or nobody in particular'
  if (of === 'fleet') return 'the hosts that who asks may see'
  if (of === 'installation') return 'everybody: only who sees every host'
  return `what the input names, as far as who asks may see it (${Object.keys(of)
    .map(field => `\`${field}\``)
    .join(', ')})`
}

/** Everything that has to be said, or the faults that keep it from being said. */
export async function makeReference(): Promise<{ text: string; faults: string[] }> {
  const names: TypeNames = await readTypeNames()
  const types = new Map([...names].map(([schema, name]) => [name, schema]))
  const { write, used } = typeWriter(names)
  const faults: string[] = []
  const parts: string[] = []
  const routers = Object.groupBy(Object.keys(procedures), path => path.split('.')[0] ?? '')
  for (const router of Object.keys(routers).toSorted()) {
    const docs = readProcedureDocs(router)
    parts.push(`## ${router}\n`)
    for (const path of routers[router] ?? []) {
      const def = procedures[path]?._def
      const doc = docs.get(path.slice(router.length + 1))
      if (def?.meta === undefined || doc === undefined || doc.says === '') {
        faults.push(`${path} has no docstring`)
        continue
      }
      for (const code of doc.throws)
        if (!Object.hasOwn(refusals, code)) faults.push(`${path}: ${code} is no refusal`)
      const values = doc.yields === undefined ? undefined : types.get(doc.yields)
      if (def.type === 'subscription' && doc.yields === undefined)
        faults.push(`${path} does not say what it yields`)
      if (values !== undefined) used.add(values)
      const [input] = def.inputs
      const codes = codesOf(def.meta, fieldsOf(input), doc).map(code => `\`${code}\``)
      const answer = def.output === undefined ? (doc.yields ?? 'nothing') : write(def.output)
      parts.push(
        `### ${path}\n\n${doc.says}\n\n| ${said[def.type]} | |\n|---|---|\n`,
        `| role | ${def.meta.role} |\n| scope of a key | ${scopeOf(path, def.type)} |\n`,
        `| about | ${reachOf(def.meta.rule)} |\n| fresh proof | ${freshOf(def.meta.rule)} |\n`,
        `| safe to repeat | ${repeatOf(def, doc)} |\n`,
        ...(codes.length === 0 ? [] : [`| errors of its own | ${codes.join(' ')} |\n`]),
        `\n\`\`\`\ninput: ${input === undefined ? 'none' : write(input, '', true)}\n`,
        `${def.type === 'subscription' ? 'values' : 'answer'}: ${answer === 'void' ? 'nothing' : answer}\n\`\`\`\n`,
        examplesOf(path, def),
        '\n',
      )
    }
  }
  return { text: `${head}${parts.join('')}${typesOf(names, used, write)}${errorsOf()}`, faults }
}

function typesOf(
  names: TypeNames,
  used: Set<z.ZodType>,
  write: ReturnType<typeof typeWriter>['write'],
): string {
  const written = new Map<string, string>()
  // Writing one down may mention others.
  for (const schema of used) written.set(names.get(schema) ?? '', write(schema, '', true))
  const sorted = [...written].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `## Types\n\n${sorted.map(([name, type]) => `\`\`\`\n${name} = ${type}\n\`\`\`\n`).join('\n')}\n`
}

function errorsOf(): string {
  const rows = Object.entries(refusals).map(([code, kind]) => `| \`${code}\` | ${kind} |`)
  return `## Errors\n\n| code | class |\n|---|---|\n${rows.join('\n')}\n`
}

const head = `# The operators' API
<!-- Written by \`npm run api-reference\`. Change the docstring beside the procedure, or the schema, and run it again. -->

tRPC below \`/trpc\`, with superjson: queries are \`GET\`, mutations \`POST\`, up to 32 in one request; subscriptions go over a WebSocket at the
same address. Use the [typed client](../packages/client/README.md) where you can. By hand, an input is \`{"json": …}\` and an answer
\`{"result": {"data": {"json": …}}}\`; instants in \`json\` are ISO 8601 in UTC, which \`meta\` beside it marks as such.

- **Units.** Sizes are bytes, instants are \`Date\`, durations say their unit in their name. \`?\` may be left out, \`= …\` is what then holds.
- **Keys.** \`Authorization: Bearer rmk_…\`, also at the upgrade of a WebSocket. A key acts as its operator, within its scopes.
- **Errors.** \`error.json.message\` is a sentence, \`error.json.data.refusal\` a stable code. Any call may meet \`not_signed_in\`, \`not_allowed\`,
  \`bad_input\`, \`too_many\` (with \`Retry-After\`) and \`unavailable\`. What is not yours to see is refused as if it were not there.

`

if (import.meta.main) {
  takeNoArguments('npm run api-reference', 'Writes docs/api.md.')
  const { text, faults } = await makeReference()
  for (const fault of faults) console.error(fault)
  if (faults.length > 0) process.exitCode = 1
  else await writeFile(referenceFile, text)
}
