// Where programs under test keep what Node compiled of them: a suite starts the same ones hundreds of times.
import { join } from 'node:path'

/** For `NODE_COMPILE_CACHE`. Among the dependencies, so that it goes when those are installed anew. */
export const compileCache = join(import.meta.dirname, '../../../node_modules/.compile-cache')
