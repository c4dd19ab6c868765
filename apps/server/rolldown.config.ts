// Bundles the server: our own sources and workspace packages in, packages from npm stay where they are.
import { defineConfig } from 'rolldown'

export default defineConfig({
  input: { main: 'src/main.ts', admin: 'src/admin.ts' },
  platform: 'node',
  external: id => /^[^./]/.test(id) && !id.startsWith('src/') && !id.startsWith('@restic-manager/'),
  output: {
    dir: 'dist',
    entryFileNames: '[name].js',
    // Beside the entries: the code finds drizzle/ and the page from where it lies.
    chunkFileNames: '[name]-[hash].js',
    sourcemap: true,
    cleanDir: true,
  },
})
