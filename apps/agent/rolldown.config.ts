// Bundles the agent into one file with everything in it, so that a host needs Node, restic and this.
import { defineConfig } from 'rolldown'

export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  // ws asks for these two and goes without them when they are missing.
  external: ['bufferutil', 'utf-8-validate'],
  output: { file: 'dist/agent.mjs', minify: true, codeSplitting: false, sourcemap: false, cleanDir: true },
})
