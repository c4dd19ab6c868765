// What a benchmark of the wire is told.

/** `scale`: share of the full size. `profileDir`: where CPU profiles of the server are written; undefined: none are taken. */
export type WireOptions = { runs: number; scale: number; profileDir: string | undefined }
