// The authority behind the server's certificate, where it is one that machines do not know by themselves: agents pin it.
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import type { Log } from '@restic-manager/runtime/log'
import type { Config } from '../config.ts'

/** `pem`: what agents are to trust instead of what their system does. `pin`: how they know it when they fetch it. */
export type Authority = { pem: string; pin: string }

const certificatesIn = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    each => new X509Certificate(each),
  )

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate) =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

/**
 * The last certificate of a chain when it signs itself and is no public authority: a private authority, or a server's own. `unknown`:
 * the chain ends before its authority, which is not a public one either.
 */
export function privateAuthority(chain: string): X509Certificate | 'public' | 'unknown' {
  const last = certificatesIn(chain).at(-1)
  if (last === undefined) return 'unknown'
  const roots = rootCertificates.map(pem => new X509Certificate(pem))
  if (roots.some(root => root.fingerprint256 === last.fingerprint256 || isIssuedBy(last, root)))
    return 'public'
  return isIssuedBy(last, last) ? last : 'unknown'
}

/** What agents have to pin; undefined: nothing, they know the authority. Throws when a file cannot be read. */
export async function readAuthority(
  { tls, caFile }: Pick<Config, 'tls' | 'caFile'>,
  log: Log,
): Promise<Authority | undefined> {
  if (caFile !== undefined) {
    const [authority] = certificatesIn(await readFile(caFile, 'utf8'))
    if (authority === undefined)
      throw new Error(`There is no certificate in ${caFile}, which RM_TLS_CA_FILE names.`)
    return authorityOf(authority)
  }
  if (tls === undefined) return undefined
  const found = privateAuthority(await readFile(tls.certFile, 'utf8'))
  if (found === 'unknown')
    log.warn(
      'the certificate is of no public authority, and its own is not in RM_TLS_CERT_FILE: name it with RM_TLS_CA_FILE, so that agents can be told whom to trust',
    )
  return found instanceof X509Certificate ? authorityOf(found) : undefined
}

const authorityOf = (certificate: X509Certificate): Authority => ({
  pem: certificate.toString(),
  pin: `sha256:${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`,
})

/** /ca.pem: the authority itself. An agent fetches it from whoever answers, and believes only what fits its pin. */
export function addAuthority(app: FastifyInstance, authority: Authority | undefined) {
  app.get('/ca.pem', async (_request, reply) =>
    authority === undefined
      ? reply.status(404).send({ code: 'not_found', message: 'This server has no authority of its own.' })
      : reply.type('application/x-pem-file').header('cache-control', 'no-store').send(authority.pem),
  )
}
