// The version this agent says it is: the one of its package.
import manifest from '../package.json' with { type: 'json' }

export const agentVersion: string = manifest.version
