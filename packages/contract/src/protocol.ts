// The number both ends speak, and the sentence for when they do not.

/** The protocol this code speaks. Within one number the agent's procedures only grow. */
export const PROTOCOL = 1

/** The protocols a server of this version accepts. */
export const protocolWindow = { min: 1, max: PROTOCOL } as const

/** What to tell an agent outside the window; undefined when it is inside. */
export function protocolComplaint(
  agent: { protocolVersion: number; agentVersion: string },
  serverVersion: string,
) {
  const { min, max } = protocolWindow
  if (agent.protocolVersion < min)
    return `Agent ${agent.agentVersion} speaks protocol ${agent.protocolVersion}; server ${serverVersion} needs ${min} to ${max}. Upgrade the agent on this host.`
  if (agent.protocolVersion > max)
    return `Agent ${agent.agentVersion} speaks protocol ${agent.protocolVersion}; server ${serverVersion} knows ${min} to ${max}. Upgrade the server.`
  return undefined
}
