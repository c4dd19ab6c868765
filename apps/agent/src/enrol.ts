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
import { complaintAboutServer, joinClient } from './join.ts'
import { lockState } from './state-lock.ts'

/** A person waits for the answer. */
const patienceMs = 30_000

export type EnrolWish = {
  server: string
  token: string
  stateDir: string
  name?: string | undefined
  allowPlainHttp: boolean
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
  const before = readEnrolment(wish.stateDir)
  if (before?.serverUrl === serverUrl)
    return {
      enrolment: before,
      already: true,
      waitsForApproval: false,
      fingerprint: fingerprintIn(wish.stateDir),
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
    const answer = await joinClient(serverUrl)
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
    const enrolment = { serverUrl, hostId, hostName, allowPlainHttp: wish.allowPlainHttp }
    saveEnrolment(wish.stateDir, enrolment)
    return { enrolment, already: false, waitsForApproval, fingerprint: fingerprintIn(wish.stateDir) }
  } finally {
    lock.release()
  }
}

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
