// Admin commands for the key that seals secrets: making one, and putting it in the place of the old one.
import { resolve } from 'node:path'
import { type Command, required } from './admin-command.ts'
import { useDatabase } from './admin-database.ts'
import { loadSeal } from './db/open-seal.ts'
import { fingerprintOf, loadSealingKey, makeKeyFile } from './db/sealing-keys.ts'
import { rotateSealingKey } from './fleet/key-rotation.ts'

/** Makes a key file. Never touches one that is there. */
export const makeKeyCommand: Command = {
  usage: '--to FILE',
  help: 'makes a new sealing key, readable by its owner only, for rotate-key',
  texts: ['to'],
  async prepare(values) {
    const file = resolve(required(values, 'to'))
    return async () => {
      if (!(await makeKeyFile(file))) throw new Error(`${file} is there already. Choose another name.`)
      return `${file} holds a new key (fingerprint ${fingerprintOf(await loadSealingKey(file, { make: false }))}). Keep a copy of it apart from backups of the database.`
    }
  },
}

/** Seals everything with the configured key. The same call again goes on where the last one was broken off, or changes nothing. */
export const rotateKeyCommand: Command = {
  usage: '',
  help: 'seals every stored secret with RM_SECRET_KEY…, which takes the place of RM_OLD_SECRET_KEY…, while servers run',
  texts: [],
  async prepare() {
    return ({ config, log, signal }) =>
      useDatabase(config, log, async db => {
        const seal = await loadSeal(config.secretKeys, { make: false })
        const { from, to, secrets } = await rotateSealingKey(db, seal, { signal })
        const [, old] = seal.fingerprints
        const last =
          old === undefined
            ? 'No other key is needed.'
            : `The key ${old} opens nothing in this database any more: take RM_OLD_SECRET_KEY… away from every server. Older backups still need it.`
        const done =
          from === undefined && secrets === 0
            ? `Everything was sealed with the key ${to} already.`
            : `${secrets} stored secrets were wrapped anew; everything is sealed with the key ${to}.`
        return `${done} ${last}`
      })
  },
}
