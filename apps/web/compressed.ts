// Lays a gzip and a brotli beside each file of the built page, so that the server compresses nothing itself.
import { glob, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Plugin } from 'vite'

/** Shorter files go in one packet anyway. */
const LEAST_BYTES = 1_024

/** A step at the end of a build. What does not get smaller, as fonts, stays alone. */
export function compressed(): Plugin {
  let folder = ''
  return {
    name: 'compressed',
    apply: 'build',
    configResolved: ({ root, build }) => void (folder = join(root, build.outDir)),
    async closeBundle() {
      for await (const name of glob('**/*.{css,html,js,svg}', { cwd: folder })) {
        const file = join(folder, name)
        const whole = await readFile(file)
        if (whole.length < LEAST_BYTES) continue
        await writeFile(`${file}.gz`, await promisify(gzip)(whole, { level: constants.Z_BEST_COMPRESSION }))
        await writeFile(
          `${file}.br`,
          await promisify(brotliCompress)(whole, {
            params: { [constants.BROTLI_PARAM_SIZE_HINT]: whole.length },
          }),
        )
      }
    },
  }
}
