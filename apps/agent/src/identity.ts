// Who this host is: the Ed25519 key made here, the host id it got for it, and the session it speaks in.
import { createPrivateKey, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { Id } from '@restic-manager/contract/ids'
import { proofText, type SessionProof } from '@restic-manager/contract/join'
import { Name } from '@restic-manager/contract/scalars'
import { fingerprintOf } from '@restic-manager/runtime/fingerprint'
import { z } from 'zod'
import { StateUnusable } from './state.ts'
import { readFileIfThere, savePrivateFile } from './files.ts'

/** What enrolment gave this host. Kept for good; the private key is in a file of its own. */
export const Enrolment = z.object({
  serverUrl: z.url(),
  hostId: Id,
  hostName: Name,
  allowPlainHttp: z.boolean(),
})
export type Enrolment = z.infer<typeof Enrolment>

/** `confirmed`: the last session the server is known to have accepted. `next`: one that was offered and not heard back about. */
const Sessions = z.object({ confirmed: Id.nullable(), next: Id.nullable() })
type Sessions = z.infer<typeof Sessions>

/** Not inside the spool: a lost spool must not turn this host into a clone of itself. */
const files = { key: 'key.pem', enrolment: 'enrolment.json', sessions: 'sessions.json' }

/** What this host was enrolled as; undefined when it is not. */
export function readEnrolment(stateDir: string): Enrolment | undefined {
  const path = join(stateDir, files.enrolment)
  const text = readFileIfThere(path)
  if (text === undefined) return undefined
  try {
    return Enrolment.parse(JSON.parse(text))
  } catch {
    throw new StateUnusable(`${path} is damaged. Restore it, or remove ${stateDir} and enrol this host anew.`)
  }
}

/** Keeps what enrolment gave. Safe to call twice. */
export function saveEnrolment(stateDir: string, enrolment: Enrolment): void {
  savePrivateFile(join(stateDir, files.enrolment), `${JSON.stringify(enrolment, null, 2)}\n`)
}

/** The host's private key. Made and saved on the first call: a repeat after a crash finds the same one. */
export function openKey(stateDir: string): KeyObject {
  const path = join(stateDir, files.key)
  const saved = readFileIfThere(path)
  if (saved !== undefined) return readKey(path, saved)
  const { privateKey } = generateKeyPairSync('ed25519')
  savePrivateFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  return privateKey
}

function readKey(path: string, saved: string): KeyObject {
  try {
    return createPrivateKey(saved)
  } catch {
    throw new StateUnusable(`${path} is damaged. Restore it, or enrol this host anew in another --state-dir.`)
  }
}

/** The public half as it goes over the wire. */
export function publicKeyOf(privateKey: KeyObject): string {
  return privateKey.export({ format: 'jwk' }).x as string
}

/** The fingerprint of the key in a state directory that was enrolled: what an operator compares. */
export const fingerprintIn = (stateDir: string): string => fingerprintOf(publicKeyOf(openKey(stateDir)))

export type SessionOffer = { confirmed: string | null; next: string }

/** The session to offer now. Persisted before it is offered; offered again until it is confirmed. */
export function offerSession(stateDir: string): SessionOffer {
  const { confirmed, next } = readSessions(stateDir)
  const offer = { confirmed, next: next ?? randomUUID() }
  if (next === null) saveSessions(stateDir, offer)
  return offer
}

/** The server took the session that was offered. Safe to call twice. */
export function confirmSession(stateDir: string, accepted: string): void {
  saveSessions(stateDir, { confirmed: accepted, next: null })
}

/** Signs a proof with the host's key. */
export function signProof(privateKey: KeyObject, proof: Omit<SessionProof, 'signature'>): SessionProof {
  return { ...proof, signature: sign(null, Buffer.from(proofText(proof)), privateKey).toString('base64url') }
}

function readSessions(stateDir: string): Sessions {
  const path = join(stateDir, files.sessions)
  const text = readFileIfThere(path)
  if (text === undefined) return { confirmed: null, next: null }
  try {
    return Sessions.parse(JSON.parse(text))
  } catch {
    // A guess would look like a second machine, and have this one shut out.
    throw new StateUnusable(
      `${path} is damaged, so this host cannot say which session it had. Restore the file, or enrol this host anew in another --state-dir.`,
    )
  }
}

function saveSessions(stateDir: string, sessions: Sessions): void {
  savePrivateFile(join(stateDir, files.sessions), `${JSON.stringify(sessions)}\n`)
}
