// Types of debian-package.mjs, for its test.
export declare function findMirror(
  sources: { file: string; text: string }[],
): { uri: string; signedBy?: string } | undefined
