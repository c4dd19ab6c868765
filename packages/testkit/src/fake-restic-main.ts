// Starts the fake restic from what was compiled before. It knows by itself where: its environment is the caller's affair.
import { enableCompileCache } from 'node:module'
import { compileCache } from './compile-cache.ts'

enableCompileCache(compileCache)
await import('./fake-restic-program.ts')
