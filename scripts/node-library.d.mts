// Types of node-library.mjs, for its test.
export declare function lacksLibrary(said: string): boolean
export declare function writeNodeScript(where: { link: string; program: string; folder: string }): void
