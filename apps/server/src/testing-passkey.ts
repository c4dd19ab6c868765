// For tests only: a passkey in software, for where no browser is.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

type Asked = { challenge: string; rp?: { id?: string | undefined }; rpId?: string | undefined }

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest()
const bytes = (length: number, ...after: (number | Buffer)[]) =>
  Buffer.concat([
    length < 24 ? Buffer.of(0x40 + length) : Buffer.of(length < 256 ? 0x58 : 0x59, ...big(length)),
    ...after.map(part => (typeof part === 'number' ? Buffer.of(part) : part)),
  ])
const big = (length: number) => (length < 256 ? [length] : [length >> 8, length & 255])
const blob = (content: Buffer) => bytes(content.length, content)
const word = (text: string) => Buffer.concat([Buffer.of(0x60 + text.length), Buffer.from(text)])

/** A device with one passkey for the page at `origin`. */
export function softPasskey(origin: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const id = randomBytes(32)
  let counter = 0
  const clientData = (type: string, challenge: string) =>
    Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }))
  const authData = (name: string, flags: number, more: Buffer = Buffer.alloc(0)) => {
    const count = Buffer.alloc(4)
    count.writeUInt32BE((counter += 1))
    return Buffer.concat([sha256(name), Buffer.of(flags), count, more])
  }
  const answer = { id: id.toString('base64url'), rawId: id.toString('base64url'), type: 'public-key' }
  return {
    /** What a browser answers when a passkey is made. */
    make({ challenge, rp }: Asked) {
      // A COSE key: EC2, ES256, P-256.
      const key = Buffer.concat([
        Buffer.of(0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21),
        blob(Buffer.from(x, 'base64url')),
        Buffer.of(0x22),
        blob(Buffer.from(y, 'base64url')),
      ])
      const made = Buffer.concat([Buffer.alloc(16), Buffer.of(0, id.length), id, key])
      const attestationObject = Buffer.concat([
        ...[Buffer.of(0xa3), word('fmt'), word('none'), word('attStmt'), Buffer.of(0xa0)],
        ...[word('authData'), blob(authData(rp?.id ?? '', 0x45, made))],
      ])
      return {
        ...answer,
        clientExtensionResults: {},
        response: {
          clientDataJSON: clientData('webauthn.create', challenge).toString('base64url'),
          attestationObject: attestationObject.toString('base64url'),
          transports: ['internal'],
        },
      }
    },
    /** What a browser answers when it is asked to sign. */
    show({ challenge, rpId }: Asked) {
      const said = clientData('webauthn.get', challenge)
      const data = authData(rpId ?? '', 0x05)
      return {
        ...answer,
        clientExtensionResults: {},
        response: {
          clientDataJSON: said.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: sign('sha256', Buffer.concat([data, sha256(said)]), privateKey).toString('base64url'),
        },
      }
    },
  }
}
