// Types of complete-lockfile.mjs, for its test.
export declare function missingEntries(lock: { packages: Record<string, object> }): Record<string, object>
