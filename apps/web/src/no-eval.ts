// Before all else: keeps zod from trying whether it may make code from text. The content policy forbids that, and browsers report each try.
Object.assign(globalThis, { __zod_globalConfig: { jitless: true } })
