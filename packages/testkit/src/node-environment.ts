// What a program of ours needs of the environment, for tests that start one with nothing else of theirs.
import { compileCache } from './compile-cache.ts'

/** `LD_LIBRARY_PATH`: where the system lacks a library of Node's, it is found there (`scripts/node-library.mjs`). */
export const nodeEnvironment: NodeJS.ProcessEnv = {
  PATH: process.env['PATH'],
  NODE_COMPILE_CACHE: compileCache,
  ...('LD_LIBRARY_PATH' in process.env && { LD_LIBRARY_PATH: process.env['LD_LIBRARY_PATH'] }),
}
