// Whom this host believes to be its server: what its system trusts, or the one authority that was pinned when it was enrolled.
import { X509Certificate } from 'node:crypto'
import { Agent, request as httpsRequest } from 'node:https'

/** TLS options of every connection to the server. With a pinned authority nothing else is trusted: no other authority, and no default. */
export const trustOf = ({ ca }: { ca?: string | undefined }) =>
  ca === undefined ? {} : { ca: [ca], allowPartialTrustChain: true }

/** How a pin is written: the SHA-256 of the authority's certificate. */
export const pinShape = /^sha256:[0-9a-f]{64}$/

const mostBytes = 64 * 1024

/**
 * Fetches the certificate that a pin names, as PEM. Whoever answers is not known yet and told nothing; only a certificate that fits
 * the pin is believed. Rejects with a sentence.
 */
export async function fetchAuthority(url: URL, pin: string, patienceMs: number): Promise<string> {
  const pem = await readUnknown(url, patienceMs)
  const found = certificateIn(pem)
  if (found === undefined)
    throw new Error('it does not say which authority it has, although --ca-pin asks for one')
  if (`sha256:${found.fingerprint256.replaceAll(':', '').toLowerCase()}` !== pin)
    throw new Error('its authority is not the one that --ca-pin names. Somebody may stand in between')
  return found.toString()
}

function certificateIn(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function readUnknown(url: URL, patienceMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ rejectUnauthorized: false, keepAlive: false })
    const signal = AbortSignal.timeout(patienceMs)
    httpsRequest(url, { agent, signal }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
        if (text.length > mostBytes) response.destroy(new Error('it answers with more than a certificate'))
      })
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}
