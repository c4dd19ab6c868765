// Which version this is, as the package says.
import manifest from '../package.json' with { type: 'json' }

/** The server's version, `1.2.3`. */
export const version: string = manifest.version
