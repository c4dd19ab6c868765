// What stands above each operator procedure in its source: the sentences, and tags for what no schema says.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './processes.ts'

/**
 * `says`: the docstring. `throws`: codes of refusals beyond those that every call may meet. `repeat`: how a second delivery differs,
 * where it does. `yields`: of a subscription, the contract's name of its values.
 */
export type ProcedureDoc = { says: string; throws: string[]; repeat?: string; yields?: string }

const folder = path.join(root, 'apps/server/src/operator-api')
const documented = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:\/\/[^\n]*\s*)*(\w+): (?:viewer|operator|admin)\(/g

/** The docs of the procedures of one router, by name. */
export function readProcedureDocs(router: string): Map<string, ProcedureDoc> {
  const source = readFileSync(path.join(folder, `${router}.ts`), 'utf8')
  return new Map([...source.matchAll(documented)].map(([, text = '', name = '']) => [name, parse(text)]))
}

function parse(text: string): ProcedureDoc {
  const lines = text.split('\n').map(line => line.replace(/^\s*\*? ?/, '').trim())
  const [says = '', ...tags] = lines.join(' ').split(/ ?@(?=throws |repeat |yields )/)
  const of = (tag: string) =>
    tags.filter(each => each.startsWith(`${tag} `)).map(each => each.slice(tag.length + 1).trim())
  const [repeat] = of('repeat')
  const [yields] = of('yields')
  return {
    says: says.trim(),
    throws: of('throws').flatMap(codes => codes.split(/[ ,]+/)),
    ...(repeat === undefined ? {} : { repeat }),
    ...(yields === undefined ? {} : { yields }),
  }
}
