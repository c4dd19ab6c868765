// Builds the page into dist, and serves it in development with the server behind a proxy.
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { compressed } from './compressed.ts'
import { documents } from './documents.ts'

const server = process.env['RM_DEV_SERVER'] ?? 'http://127.0.0.1:8470'
// The server checks the origin of every change, and behind this proxy the page comes from another port.
const proxied = { target: server, changeOrigin: true, headers: { origin: server } }

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), documents(), compressed()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    reportCompressedSize: true,
    // What every page needs is one file: taken apart, it was thirteen requests for the same bytes and some more.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'first', tags: ['$initial'] }] } } },
  },
  server: { host: '127.0.0.1', proxy: { '/trpc': { ...proxied, ws: true }, '/auth': proxied } },
})
