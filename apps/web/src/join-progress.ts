// How far a new host has come, step by step, and what to try where it is stuck. Pure: tested without a page.
import type { EnrolmentView } from '@restic-manager/contract/enrolment'

export type JoinStep = { word: string; detail?: string; at?: Date; state: 'done' | 'now' | 'next' }
/** `stuck`: what to try at the step that waits; undefined once the host is ready. */
export type JoinProgress = {
  steps: JoinStep[]
  ready: boolean
  stuck: { title: string; why: string; try?: string } | undefined
}

/** What can be waited for, in order. */
type Stage = 'made' | 'redeemed' | 'approved' | 'proved' | 'connected' | 'restic' | 'applied'
type Plan = { configVersion: number; appliedConfigVersion: number } | undefined

/** `host`: the newest host that redeemed the token, with its plan once it is known. */
export function joinProgress(
  enrolment: EnrolmentView,
  plan: Plan,
  serverUrl: string,
  now: Date,
): JoinProgress {
  const host = enrolment.hosts.at(-1)
  const applied =
    plan !== undefined && plan.appliedConfigVersion >= plan.configVersion && host?.connectedAt != null
  const marks: {
    stage: Stage
    done: boolean
    past: string
    waiting: string
    detail?: string
    at?: Date | null
  }[] = [
    {
      stage: 'made',
      done: true,
      past: 'Token made',
      waiting: '',
      detail: `by ${enrolment.createdBy}`,
      at: enrolment.createdAt,
    },
    {
      stage: 'redeemed',
      done: host !== undefined,
      past: 'Token redeemed',
      waiting: 'Waiting for the host to redeem the token',
      ...(host !== undefined && { detail: `by ${host.name}, with a key made there` }),
      at: host?.redeemedAt ?? null,
    },
    ...(enrolment.needsApproval
      ? [
          {
            stage: 'approved' as const,
            done: host !== undefined && host.waitsSince === null,
            past: 'Let in',
            waiting: 'An admin lets it in',
          },
        ]
      : []),
    {
      stage: 'proved',
      done: host?.provedAt != null,
      past: 'Key proved',
      waiting: 'Host proves its key',
      at: host?.provedAt ?? null,
    },
    {
      stage: 'connected',
      done: host?.connectedAt != null && host.online,
      past: 'Connected',
      waiting: 'Host connects',
      at: host?.connectedAt ?? null,
    },
    {
      stage: 'restic',
      done: host?.resticVersion != null,
      past: `restic ${host?.resticVersion ?? ''} found`,
      waiting: 'restic found on the host',
    },
    {
      stage: 'applied',
      done: applied,
      past: 'Configuration applied, the host is ready',
      waiting: 'Configuration applied',
    },
  ]
  const reached = marks.findIndex(mark => !mark.done)
  const at = reached === -1 ? marks.length : reached
  const steps = marks.map((mark, index): JoinStep => {
    const done = index < at
    return {
      word: done ? mark.past : mark.waiting,
      state: done ? 'done' : index === at ? 'now' : 'next',
      ...(done && mark.detail !== undefined && { detail: mark.detail }),
      ...(done && mark.at != null && { at: mark.at }),
    }
  })
  const stage = marks[at]?.stage
  return { steps, ready: stage === undefined, stuck: stuckAt(stage, enrolment, serverUrl, now) }
}

function stuckAt(
  stage: Stage | undefined,
  enrolment: EnrolmentView,
  serverUrl: string,
  now: Date,
): JoinProgress['stuck'] {
  if (stage === 'redeemed' && enrolment.revokedAt !== null)
    return { title: 'This token was revoked.', why: 'Make a new one.' }
  if (stage === 'redeemed' && enrolment.expiresAt <= now)
    return { title: 'This token has expired.', why: 'Make a new one and paste the new line.' }
  switch (stage) {
    case 'redeemed':
      return {
        title: 'Stuck at this step? The line has not run, or the host cannot reach the server.',
        why: 'Try this on the host. It must print that the server is alive. Behind a proxy, set HTTPS_PROXY first.',
        try: `curl -fsS ${serverUrl}/healthz`,
      }
    case 'proved':
      return {
        title: 'Stuck at this step? The host has its identity, but the agent has not started.',
        why: 'Run the second half of the line on the host, in the folder restic-manager.',
        try: 'npm run -s agent -- run',
      }
    case 'connected':
      return {
        title: 'Stuck at this step? The WebSocket does not get through.',
        why: 'A proxy in front of the server must pass upgrades of /agent on. The log of the agent says what it got instead.',
      }
    case 'restic':
      return {
        title: 'The agent found no usable restic on this host.',
        why: 'Install restic 0.17 or newer on the host, then start the agent again.',
      }
    case 'applied':
      return {
        title: 'Stuck at this step? The host has not confirmed its configuration.',
        why: 'It does so within a few seconds of connecting. The log of the agent says what it waits for.',
      }
    default:
      return undefined
  }
}

/** The one line to paste on a host, in the folder that holds the checkout. `caPin`: of a server whose authority nobody else knows. */
export function joinLine(serverUrl: string, token: string, caPin: string | null = null): string {
  const pin = caPin === null ? '' : ` --ca-pin ${caPin}`
  return `cd restic-manager && npm run -s agent -- enrol --server ${serverUrl} --token ${token}${pin} && npm run -s agent -- run`
}

/** Whether only the machine of the server itself reaches this address. */
export const isForThisMachine = (serverUrl: string): boolean =>
  /^(localhost|127\..*|\[::1\])$/.test(new URL(serverUrl).hostname)
