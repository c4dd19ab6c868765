// `agent enrol`: makes this host's key, redeems a token for it, and keeps what the server answered.
import { readdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { EnrolmentAnswer, EnrolmentToken } from '@restic-manager/contract/join'
import { Name } from '@restic-manager/contract/scalars'
import { sentenceOf, serverWord } from './failure.ts'
import { makePrivateFolder } from './files.ts'
import {
  fingerprintIn,
  openKey,
  publicKeyOf,
  readEnrolment,
  saveEnrolment,
  type Enrolment,
} from './identity.ts'
import { complaintAboutServer, endpoint, joinClient } from './join.ts'
import { fetchAuthority, pinShape } from './trust.ts'
import { lockState } from './state-lock.ts'

/** A person waits for the answer. */
const patienceMs = 30_000

export type EnrolWish = {
  server: string
  token: string
  stateDir: string
  name?: string | undefined
  allowPlainHttp: boolean
  /** The authority to trust for the server, `sha256:` and 64 hex digits; undefined: those that the system trusts. */
  caPin?: string | undefined
}

/** Enrolment did not happen. The message is one sentence that says why and what to do. */
export class EnrolmentFailed extends Error {}

/**
 * Enrols this host. Safe to repeat after a crash at any point: the key is on disk before the token is redeemed, and
 * the same token with the same key gets the same host. `already`: the state directory was enrolled before.
 */
export async function enrolHost(
  wish: EnrolWish,
): Promise<{ enrolment: Enrolment; already: boolean; waitsForApproval: boolean; fingerprint: string }> {
  const serverUrl = wish.server.replace(/\/+$/, '')
  const complaint = complaintAboutServer(serverUrl, wish.allowPlainHttp)
  if (complaint !== undefined) throw new EnrolmentFailed(complaint)
  if (wish.caPin !== undefined && !pinShape.test(wish.caPin))
    throw new EnrolmentFailed('--ca-pin is not a pin; it looks like sha256: and 64 hex digits.')
  if (wish.caPin !== undefined && !serverUrl.startsWith('https:'))
    throw new EnrolmentFailed('--ca-pin is for a server with an https address.')
  const before = readEnrolment(wish.stateDir)
  if (before?.serverUrl === serverUrl) {
    // A server whose authority has changed is pinned anew by the line for a new host.
    if (wish.caPin !== undefined)
      saveEnrolment(wish.stateDir, { ...before, ca: await authorityOf(serverUrl, wish.caPin) })
    return {
      enrolment: before,
      already: true,
      waitsForApproval: false,
      fingerprint: fingerprintIn(wish.stateDir),
    }
  }
  if (before !== undefined)
    throw new EnrolmentFailed(
      `${wish.stateDir} is enrolled with ${before.serverUrl} already. Use another --state-dir, or remove that one first.`,
    )
  const token = EnrolmentToken.safeParse(wish.token)
  if (!token.success)
    throw new EnrolmentFailed(`--token ${token.error.issues[0]?.message ?? 'cannot be used'}.`)
  const name = Name.safeParse(wish.name ?? hostname())
  if (!name.success) throw new EnrolmentFailed('--name must have between 1 and 200 characters.')

  if (isForeign(wish.stateDir))
    throw new EnrolmentFailed(
      `${wish.stateDir} holds other things. Give the agent a folder of its own: --state-dir DIR.`,
    )
  makePrivateFolder(wish.stateDir)
  const lock = lockState(wish.stateDir)
  try {
    const publicKey = publicKeyOf(openKey(wish.stateDir))
    const ca = wish.caPin === undefined ? undefined : await authorityOf(serverUrl, wish.caPin)
    const answer = await joinClient({ serverUrl, ca })
      .enrolment.redeem.mutate(
        { token: token.data, publicKey, hostname: name.data },
        { signal: AbortSignal.timeout(patienceMs) },
      )
      .catch(error => {
        throw new EnrolmentFailed(
          serverWord(error) === undefined
            ? `${serverUrl} could not be reached: ${sentenceOf(error)}`
            : sentenceOf(error),
        )
      })
    const given = EnrolmentAnswer.safeParse(answer)
    if (!given.success)
      throw new EnrolmentFailed(`${serverUrl} answered, but not as a restic-manager server does.`)
    const { hostId, hostName, waitsForApproval = false } = given.data
    const enrolment: Enrolment = {
      ...{ serverUrl, hostId, hostName, allowPlainHttp: wish.allowPlainHttp },
      ...(ca === undefined ? {} : { ca }),
    }
    saveEnrolment(wish.stateDir, enrolment)
    return { enrolment, already: false, waitsForApproval, fingerprint: fingerprintIn(wish.stateDir) }
  } finally {
    lock.release()
  }
}

/** The pinned authority, from the server itself. */
const authorityOf = (serverUrl: string, pin: string): Promise<string> =>
  fetchAuthority(endpoint(serverUrl, 'ca.pem'), pin, patienceMs).catch(error => {
    throw new EnrolmentFailed(`${serverUrl} is not trusted: ${sentenceOf(error)}.`)
  })

/** Whether a folder is there that no agent has made: its rights are not ours to change. */
function isForeign(stateDir: string): boolean {
  try {
    const names = readdirSync(stateDir).filter(name => name !== 'lost+found')
    return names.length > 0 && !names.includes('agent.lock')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
