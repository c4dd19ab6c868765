// For tests only: a fleet in a database, made through the same verbs that real machines and operators use.
import { readFileSync } from 'node:fs'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { AgentHello } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import { type ProofAnswer, proofText } from '@restic-manager/contract/join'
import { PROTOCOL } from '@restic-manager/contract/protocol'
import { timing } from '@restic-manager/contract/timing'
import { createLog } from '@restic-manager/runtime/log'
import type { Db } from './db/open.ts'
import { makeSeal, type Seal } from './db/seal.ts'
import { createEnrolment, redeemEnrolment } from './fleet/enrolments.ts'
import type { Sender } from './fleet/facts.ts'
import { greetAgent } from './fleet/hello.ts'
import { runJob } from './fleet/jobs.ts'
import { createRepository } from './fleet/repositories.ts'
import { challengeSession, claimBearer, proveSession } from './fleet/sessions.ts'

/** Says nothing. */
export const quiet = createLog({ level: 'silent' })

/** The seal of a running server, for what is written beside it. */
export const sealOf = ({ secretKeyFile }: { secretKeyFile: string }): Seal =>
  makeSeal(readFileSync(secretKeyFile))

/** A machine with its key, and what it has on disk about its sessions. */
export type Machine = {
  hostId: string
  publicKey: string
  privateKey: KeyObject
  confirmed: string | null
  next: string
}

/** A new key pair, its public half as it stands on the wire. */
export function makeKey(): { publicKey: string; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: publicKey.export({ format: 'jwk' }).x ?? '', privateKey }
}

/** A machine that was let in and has not connected yet. */
export async function enrolMachine(
  db: Db,
  hostname = 'web-1',
  { needsApproval = false } = {},
): Promise<Machine> {
  const { token } = await createEnrolment(db, {
    requestId: newId(),
    lifeMinutes: 60,
    maxUses: 1,
    tags: [],
    needsApproval,
    createdBy: 'anna@example.com',
  })
  const key = makeKey()
  const { hostId } = await redeemEnrolment(
    db,
    { token, publicKey: key.publicKey, hostname },
    { log: quiet, address: '127.0.0.1' },
  )
  return { hostId, ...key, confirmed: null, next: newId() }
}

/** Proves the session the machine has on disk. */
export async function proveMachine(db: Db, machine: Machine): Promise<ProofAnswer> {
  const { hostId, confirmed, next } = machine
  const { nonce } = await challengeSession(db, hostId, timing.bearerLife)
  const proof = { hostId, nonce, confirmed, next }
  const signature = sign(null, Buffer.from(proofText(proof)), machine.privateKey).toString('base64url')
  return proveSession(db, { ...proof, signature }, { log: quiet, bearerLife: timing.bearerLife })
}

/** What an ordinary Linux agent says first. */
export const helloOf = (over: Partial<AgentHello> = {}): AgentHello => ({
  protocolVersion: PROTOCOL,
  agentVersion: '0.1.0',
  resticVersion: '0.18.0',
  hostname: 'web-1',
  os: 'linux',
  arch: 'amd64',
  timeZone: 'Europe/Berlin',
  spoolEpoch: newId(),
  appliedScheduleVersion: 0,
  appliedConfigVersion: 0,
  knownJobs: [],
  policy: { hooks: 'off' },
  ...over,
})

/** Connects a machine: proof, upgrade, hello. Its session is confirmed, as an agent writes it down. */
export async function connectMachine(
  db: Db,
  machine: Machine,
  hello: Partial<AgentHello> = {},
): Promise<Sender> {
  const { bearer } = await proveMachine(db, machine)
  const host = await claimBearer(db, bearer)
  const said = helloOf(hello)
  await greetAgent(db, host, said, { serverVersion: '0.1.0', timing, log: quiet })
  machine.confirmed = machine.next
  machine.next = newId()
  return { ...host, spoolEpoch: said.spoolEpoch }
}

/** A connected host with one repository, and the means to speak for it. */
export async function makeHost(db: Db, seal: Seal, hostname = 'web-1') {
  const machine = await enrolMachine(db, hostname)
  const { repositoryId } = await createRepository(db, seal, repositoryOf({ hostIds: [machine.hostId] }))
  const sender = await connectMachine(db, machine)
  let seq = 0
  return {
    machine,
    hostId: machine.hostId,
    repositoryId,
    sender,
    /** The next fact of a lane, happening now. */
    fact: (lane: 'first' | 'rest' = 'rest') => ({ lane, seq: ++seq, occurredAt: new Date().toISOString() }),
    /** Asks for a backup of /srv. */
    async backUp() {
      const request = { requestId: newId(), hostId: machine.hostId, repositoryId }
      return runJob(db, { ...request, kind: 'backup', spec: { paths: ['/srv'] } }, asAnna)
    },
  }
}
export type TestHost = Awaited<ReturnType<typeof makeHost>>

/** Who asks, and for how long a job of theirs waits. */
export const asAnna = { requestedBy: 'anna@example.com', queuedLife: timing.queuedLife }

/** The request for a local repository of its own. */
export const repositoryOf = (over: { hostIds: string[]; name?: string; url?: string; password?: string }) => {
  const requestId = newId()
  return { requestId, name: `repository ${requestId}`, url: `/backup/${requestId}`, mayDelete: true, ...over }
}
