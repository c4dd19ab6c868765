// Types of restic.mjs, for the TypeScript scripts that import it.
export type FoundRestic = { path: string; version: string; quality: 'good' | 'degraded' }

export type FindOptions = {
  toolsFolder?: string
  pathVariable?: string
  onNote?: (sentence: string) => void
}

export declare const installHint: string

/** The restic to use: PATH from 0.17 on, else a copy in .tools (fetched when missing), else PATH from 0.14 on as degraded. */
export declare function findRestic(options?: FindOptions): Promise<FoundRestic | undefined>

/** The restic to use, or an Error that says what to install. */
export declare function ensureRestic(options?: FindOptions): Promise<FoundRestic>

/** What `ensureTool` can get. */
export type ToolName = '0.14.0' | '0.18.0' | 'rest-server' | 'rclone' | 'sshd' | 'pgbouncer'

/** The path of one tool in .tools, fetched when missing. Throws a sentence when it cannot be had. */
export declare function ensureTool(
  name: ToolName,
  options?: Omit<FindOptions, 'pathVariable'>,
): Promise<string>
