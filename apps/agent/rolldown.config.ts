// Bundles the agent into one file with everything in it, so that a host needs Node, restic and this.
import { readFile } from 'node:fs/promises'
import { defineConfig, type Plugin } from 'rolldown'

/** Parts of packages that the agent has no use for, and what they would load of Node at every start. */
const leftOut: [file: RegExp, text: string, instead: string][] = [
  // ws compresses nothing here.
  [/[\\/]ws[\\/]lib[\\/]permessage-deflate\.js$/, "require('zlib')", '{ constants: {} }'],
  // The log is written by the one thread there is, to a file descriptor.
  [/[\\/]pino[\\/]lib[\\/]transport\.js$/, "require('thread-stream')", 'undefined'],
  [
    /[\\/]sonic-boom[\\/]index\.js$/,
    "require('assert')",
    '((isTrue, why) => { if (!isTrue) throw new Error(why) })',
  ],
  [/[\\/]pino[\\/]lib[\\/]tools\.js$/, "require('worker_threads')", '{ isMainThread: true }'],
]

const leaveOut: Plugin = {
  name: 'leave-out',
  async load(id) {
    const [, text, instead] = leftOut.find(([file]) => file.test(id)) ?? []
    if (text === undefined || instead === undefined) return undefined
    const code = await readFile(id, 'utf8')
    if (!code.includes(text)) throw new Error(`${id} has no ${text} any more`)
    return code.replace(text, instead)
  },
}

/** What a package imports of Node is loaded when that package is, and execa is loaded for the first job. */
const late = '\0late '
const loadLate: Plugin = {
  name: 'load-late',
  resolveId: (source, importer) =>
    source.startsWith('node:') && importer?.includes('node_modules') ? `${late}${source}` : null,
  load: id => (id.startsWith(late) ? `module.exports = require('${id.slice(late.length)}')` : null),
}

/**
 * The contract makes its schemas as its modules are loaded, also the many that this end only has types of. In a function that is
 * marked as pure, those that nobody uses are left out.
 */
const unusedSchemas: Plugin = {
  name: 'unused-schemas',
  transform: {
    filter: { id: /[\\/]packages[\\/]contract[\\/]src[\\/][^.]+\.ts$/ },
    handler(code) {
      const pieces: string[] = []
      let taken = 0
      for (const statement of this.parse(code, { lang: 'ts' }).body) {
        const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
        if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') continue
        for (const { init } of declaration.declarations) {
          if (init?.type !== 'CallExpression') continue
          const { start, end } = init
          pieces.push(code.slice(taken, start), `/* @__PURE__ */ (() => ${code.slice(start, end)})()`)
          taken = end
        }
      }
      return pieces.join('') + code.slice(taken)
    },
  },
}

/** V8 keeps a source with a single character above U+00FF in two bytes a character. */
const asciiOnly: Plugin = {
  name: 'ascii-only',
  generateBundle(_options, files) {
    const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
    for (const file of Object.values(files))
      if (file.type === 'chunk') file.code = file.code.replaceAll(/[^\0-\x7f]/g, escaped)
  },
}

export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  // ws asks for these two and goes without them when they are missing.
  external: ['bufferutil', 'utf-8-validate'],
  plugins: [leaveOut, loadLate, unusedSchemas, asciiOnly],
  output: {
    // As a module, each `import` of a part of Node would read all of its names, and so load undici, the web's streams and more.
    format: 'cjs',
    file: 'dist/agent.cjs',
    minify: true,
    codeSplitting: false,
    sourcemap: false,
    cleanDir: true,
  },
})
