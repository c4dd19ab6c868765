// Types of project-lock.mjs, for its test.
export declare function withLock<T>(
  file: string,
  work: () => Promise<T>,
  onWait?: (holder: number) => void,
): Promise<T>
