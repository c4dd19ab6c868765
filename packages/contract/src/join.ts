// How a machine gets in: redeem a token once, then prove the key it made for every connection.
import { z } from 'zod'
import { Id } from './ids.ts'
import { Instant, Name, PublicKey, Signature, text } from './scalars.ts'

/** An enrolment token: `rmj_` and 32 random bytes in base64url. Shown once, stored as a hash. */
export const EnrolmentToken = z
  .string()
  .regex(/^rmj_[A-Za-z0-9_-]{43}$/, 'is not an enrolment token; it looks like rmj_ and 43 characters')

/** `enrolment.redeem`: a token and the key the host made for itself. A repeat with the same key gets the same answer. */
export const EnrolmentRedeem = z.object({ token: EnrolmentToken, publicKey: PublicKey, hostname: Name })
export type EnrolmentRedeem = z.infer<typeof EnrolmentRedeem>
/** `waitsForApproval`: an admin has to let the host in; until then every proof is refused with `host_waiting`. */
export const EnrolmentAnswer = z.object({
  hostId: Id,
  hostName: Name,
  waitsForApproval: z.boolean().optional(),
})
export type EnrolmentAnswer = z.infer<typeof EnrolmentAnswer>

/** `session.challenge`: a nonce for one proof. */
export const SessionChallenge = z.object({ hostId: Id })
export const ChallengeAnswer = z.object({ nonce: text(100).min(1), expiresAt: Instant })
export type ChallengeAnswer = z.infer<typeof ChallengeAnswer>

/** `session.prove`: `next` is the session about to begin, `confirmed` the last one the agent knows was accepted (null: none yet). */
export const SessionProof = z.object({
  hostId: Id,
  nonce: text(100).min(1),
  confirmed: Id.nullable(),
  next: Id,
  signature: Signature,
})
export type SessionProof = z.infer<typeof SessionProof>

/** The bearer for the upgrade header `Authorization: Bearer …`. One use, one minute. */
export const ProofAnswer = z.object({ bearer: text(200).min(1), expiresAt: Instant })
export type ProofAnswer = z.infer<typeof ProofAnswer>

/** The exact text an agent signs: everything the proof says, one field a line. */
export function proofText(proof: Omit<SessionProof, 'signature'>): string {
  return [
    'restic-manager session proof 1',
    proof.hostId,
    proof.nonce,
    proof.confirmed ?? '-',
    proof.next,
  ].join('\n')
}
