// A real S3 server on loopback, over TLS with a certificate of its own: a private authority, as people have at home.
import { execa } from 'execa'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { portIn } from './port-in.ts'

export type S3Server = AsyncDisposable & {
  readonly port: number
  /** The only key pair it knows. */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** A PEM file with the authority of its certificate. */
  readonly authorities: string
  /** The address of a folder in its bucket. */
  url(folder: string): string
  /** The address of a folder in a bucket that is not there. */
  missingBucketUrl(folder: string): string
}

/** Whether a certificate can be made here, or why not. */
export async function probeOpenssl(): Promise<{ path: string } | { missing: string }> {
  const { failed, shortMessage } = await execa('openssl', ['version'], { reject: false, stdin: 'ignore' })
  return failed ? { missing: `no openssl here: ${shortMessage}` } : { path: 'openssl' }
}

/** Starts an S3 server with one empty bucket on a free port. Its data goes when it is disposed of. */
export async function s3Server(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 's3-server-'))
  const [key, certificate, data] = [join(folder, 'key.pem'), join(folder, 'cert.pem'), join(folder, 'data')]
  await mkdir(data)
  await execa('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=127.0.0.1'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1'],
  ])
  const program = createRequire(import.meta.url).resolve('s3rver/bin/s3rver.js')
  const server = execa(
    process.execPath,
    [
      ...['--no-warnings', program, '--directory', data, '--address', '127.0.0.1', '--port', '0'],
      ...['--key', key, '--cert', certificate, '--no-vhost-buckets', '--configure-bucket', 'backups'],
    ],
    { stdin: 'ignore', all: true, buffer: false, reject: false },
  )
  const port = await portIn(server.all, /listening on 127\.0\.0\.1:(\d+)$/)
  return {
    port,
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    authorities: certificate,
    url: name => `s3:https://127.0.0.1:${port}/backups/${name}`,
    missingBucketUrl: name => `s3:https://127.0.0.1:${port}/no-such-bucket/${name}`,
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      await server
      await rm(folder, { recursive: true })
    },
  }
}
