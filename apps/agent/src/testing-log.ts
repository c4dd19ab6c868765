// For tests only: what an agent writes to its log is kept from the lowest level up, and searched for its secrets when it goes.
import { join } from 'node:path'
import { createLog, type Log } from '@restic-manager/runtime/log'
import { refuseSecrets, type Secret } from '@restic-manager/testkit/canaries'
import { openAppliedConfig } from './applied-config.ts'
import { readFileIfThere } from './files.ts'

/** A log that keeps everything and shows nothing. */
export function keepLog(): { log: Log; text: () => string } {
  const lines: string[] = []
  return { log: createLog({ level: 'trace', write: line => lines.push(line) }), text: () => lines.join('') }
}

/** Throws when `text` shows a secret that the agent of `stateDir` was given or made, or anything that looks like a token. */
export function refuseSecretsIn(text: string, stateDir: string): void {
  refuseSecrets('The log of the agent', text, secretsOf(stateDir))
}

function secretsOf(stateDir: string): Secret[] {
  const secrets: Secret[] = []
  const pem = readFileIfThere(join(stateDir, 'key.pem'))
  if (pem !== undefined) {
    const der = pem.replaceAll(/-----.*-----|\s/g, '')
    const seed = Buffer.from(der, 'base64').subarray(-32)
    secrets.push({ name: 'the key of the host', value: der }, { name: 'the key of the host', value: seed })
  }
  const { repositories } = openAppliedConfig(stateDir, createLog({ level: 'silent' })).current()
  for (const { password, credential } of repositories) {
    secrets.push({ name: 'the password of a repository', value: password })
    if (credential !== undefined) secrets.push({ name: 'the credential of a repository', value: credential })
  }
  return secrets
}
