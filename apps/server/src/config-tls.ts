// The settings of TLS: the server's own certificate, and the authority that agents pin.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { BadSetting, type Variable } from './setting.ts'

const pem = { shape: z.string().min(1).refine(holdsPem), accepted: 'a PEM file that can be read' }

export const tlsVariables = {
  RM_TLS_CERT_FILE: {
    ...pem,
    help: 'the certificate chain, when the server itself speaks TLS',
  },
  RM_TLS_KEY_FILE: { ...pem, help: 'the private key of that certificate' },
  RM_TLS_CA_FILE: {
    ...pem,
    help: 'the private authority of that certificate, or of the proxy in front, for agents to pin; not needed where RM_TLS_CERT_FILE holds it',
  },
} as const satisfies Record<string, Variable>

export type TlsSettings = {
  /** Undefined: the server itself speaks no TLS. */
  tls: { certFile: string; keyFile: string } | undefined
  /** The authority that agents are to pin. Undefined: the one in `tls.certFile`, if it is a private one. */
  caFile: string | undefined
}

/** Certificate and key come together. Throws a `BadSetting`. */
export function readTls(read: (name: keyof typeof tlsVariables) => string | undefined): TlsSettings {
  const [certFile, keyFile] = [read('RM_TLS_CERT_FILE'), read('RM_TLS_KEY_FILE')]
  const caFile = read('RM_TLS_CA_FILE')
  if (certFile !== undefined && keyFile !== undefined) return { tls: { certFile, keyFile }, caFile }
  if (certFile === undefined && keyFile === undefined) return { tls: undefined, caFile }
  const [given, missing] = certFile === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY']
  throw new BadSetting(
    `RM_TLS_${missing}_FILE is not set, but RM_TLS_${given}_FILE is. Accepted: both or neither.`,
  )
}

/** Seen now, so that a wrong path is a sentence about the setting and not an error in the middle of the start. */
function holdsPem(file: string): boolean {
  try {
    return readFileSync(file, 'latin1').includes('-----BEGIN ')
  } catch {
    return false
  }
}
