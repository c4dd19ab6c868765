// Who this host is: the Ed25519 key made here, the host id it got for it, and the session it speaks in.
import { createPrivateKey, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Id } from '@restic-manager/contract/ids'
import { proofText, type SessionProof } from '@restic-manager/contract/join'
import { Name } from '@restic-manager/contract/scalars'
import { fingerprintOf } from '@restic-manager/runtime/fingerprint'
import { z } from 'zod'
import { StateUnusable } from './state.ts'
import { readFileIfThere, savePrivateFile, syncFolder } from './files.ts'

/** What enrolment gave this host. Kept for good; the private key is in a file of its own. */
export const Enrolment = z.object({
  serverUrl: z.url(),
  hostId: Id,
  hostName: Name,
  allowPlainHttp: z.boolean(),
  /** The one authority that is trusted for the server, as PEM; left out: those that the system trusts. */
  ca: z.string().optional(),
})
export type Enrolment = z.infer<typeof Enrolment>

/** `confirmed`: the last session the server is known to have accepted. `next`: one that was offered and not heard back about. */
const Sessions = z.object({ confirmed: Id.nullable(), next: Id.nullable() })
type Sessions = z.infer<typeof Sessions>

/** Not inside the spool: a lost spool must not turn this host into a clone of itself. */
const files = {
  key: 'key.pem',
  nextKey: 'key-next.pem',
  keyBefore: 'key-before.pem',
  enrolment: 'enrolment.json',
  sessions: 'sessions.json',
}

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
  return saved === undefined ? makeKey(path) : readKey(path, saved)
}

function makeKey(path: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519')
  savePrivateFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  return privateKey
}

/**
 * The keys to prove this host with, the one it should have first. A key that is to take over may not have reached the server yet; and
 * a server restored from an older dump knows the one before.
 */
export function openKeys(stateDir: string): KeyObject[] {
  const spare = (name: string) => {
    const saved = readFileIfThere(join(stateDir, name))
    return saved === undefined ? [] : [readKey(join(stateDir, name), saved)]
  }
  return [...spare(files.nextKey), openKey(stateDir), ...spare(files.keyBefore)]
}

/** Makes the key that is to take over, unless there is one already. */
export function makeNextKey(stateDir: string): KeyObject {
  const path = join(stateDir, files.nextKey)
  const saved = readFileIfThere(path)
  return saved === undefined ? makeKey(path) : readKey(path, saved)
}

/** Whether a key of this host waits for the server to take it. */
export const hasNextKey = (stateDir: string): boolean => existsSync(join(stateDir, files.nextKey))

/** A key that the server will not have: another one has to be made. */
export function dropNextKey(stateDir: string): void {
  rmSync(join(stateDir, files.nextKey), { force: true })
}

/** The server has taken a proof of `key`. If it was to take over, it has; the one before stays for a server that forgets. */
export function settleKey(stateDir: string, key: KeyObject): void {
  const [next, before] = [join(stateDir, files.nextKey), join(stateDir, files.keyBefore)]
  const saved = readFileIfThere(next)
  if (saved === undefined || publicKeyOf(readKey(next, saved)) !== publicKeyOf(key)) return
  const current = readFileIfThere(join(stateDir, files.key))
  if (current !== undefined && current !== saved) savePrivateFile(before, current)
  renameSync(next, join(stateDir, files.key))
  syncFolder(stateDir)
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
