// Admin commands that make accounts, keys and enrolments.
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { EnrolmentCreateRequest } from '@restic-manager/contract/requests'
import { Name } from '@restic-manager/contract/scalars'
import { BadUsage, type Command, read, required } from './admin-command.ts'
import { useDatabase } from './admin-database.ts'
import { createApiKey } from './auth/api-keys.ts'
import { createOperator, hashOf, isSameOperator, parseNewOperator } from './auth/operators.ts'
import { resetSecondFactor } from './auth/users.ts'
import { adminCommand } from './fleet/audit.ts'
import { type Act, makeChange } from './fleet/audited.ts'
import { createEnrolment } from './fleet/enrolments.ts'

/** An act of whoever owns the data directory, as the audit log has it. */
const byAdmin = <T>(command: string, subject: Act<T>['subject']): Act<T> => ({
  actor: adminCommand,
  action: `admin ${command}`,
  subject,
})

const Role = z.enum(['viewer', 'operator', 'admin'])

/** Makes an account; the same call again changes nothing. */
export const createOperatorCommand: Command = {
  usage: '--email E --role viewer|operator|admin --password-file F [--name N]',
  help: 'makes an account; the same call again changes nothing',
  texts: ['email', 'role', 'password-file', 'name'],
  async prepare(values) {
    const email = required(values, 'email')
    const role = read(Role, required(values, 'role'), '--role')
    const password = await readPassword(required(values, 'password-file'))
    const operator = parseNewOperator({ email, name: values.texts['name'] ?? email, password })
    const passwordHash = await hashOf(password)
    return ({ config, log }) =>
      useDatabase(config, log, async db => {
        try {
          await makeChange(
            db,
            byAdmin<string>('create-operator', id =>
              id === undefined ? undefined : { kind: 'operator', id },
            ),
            tx => createOperator(tx, { email: operator.email, name: operator.name, passwordHash, role }),
          )
          return `Made the operator ${operator.email} (${role}).`
        } catch (error) {
          const mayBeSame = error instanceof Refusal && error.code === 'name_taken'
          if (mayBeSame && (await isSameOperator(db, { email: operator.email, role, password })))
            return `The operator ${operator.email} (${role}) exists already, with this password.`
          throw error
        }
      })
  },
}

/** Prints a key for the operators' API, alone. */
export const createApiKeyCommand: Command = {
  usage: '--operator E --name N [--days D]',
  help: 'prints a key for /trpc, alone, once: send it as Authorization: Bearer',
  texts: ['operator', 'name', 'days'],
  async prepare(values) {
    const email = required(values, 'operator').trim().toLowerCase()
    const name = read(Name, required(values, 'name'), '--name')
    const days = values.texts['days']
    const life =
      days === undefined ? undefined : read(z.coerce.number().int().min(1).max(3_650), days, '--days')
    const wish = { email, name, ...(life && { expiresAt: new Date(Date.now() + life * 86_400_000) }) }
    return ({ config, log }) =>
      useDatabase(config, log, db =>
        makeChange(
          db,
          byAdmin('create-api-key', () => ({ kind: 'operator', id: email })),
          tx => createApiKey(tx, wish),
        ),
      )
  },
}

/** Lets somebody who lost every second factor in again. */
export const resetSecondFactorCommand: Command = {
  usage: '--email E',
  help: 'takes the authenticator app and the passkeys off an account and ends its sessions: the password alone lets in again',
  texts: ['email'],
  async prepare(values) {
    const email = required(values, 'email').trim().toLowerCase()
    return ({ config, log }) =>
      useDatabase(config, log, async db => {
        await makeChange(
          db,
          byAdmin('reset-second-factor', () => ({ kind: 'operator', id: email })),
          tx => resetSecondFactor(tx, email),
        )
        return `${email} signs in with the password alone now. Set up a second factor again.`
      })
  },
}

/** Prints a token for machines that are to come in, alone. */
export const createEnrolmentCommand: Command = {
  usage: '[--uses N] [--life MINUTES] [--tags a,b]',
  help: 'prints a token that lets a machine in, alone, once',
  texts: ['uses', 'life', 'tags'],
  async prepare({ texts }) {
    const { maxUses, lifeMinutes, tags } = EnrolmentCreateRequest.shape
    const said = texts['tags']?.split(',').map(tag => tag.trim())
    const request = {
      requestId: newId(),
      maxUses: read(maxUses, asNumber(texts['uses']), '--uses'),
      lifeMinutes: read(lifeMinutes, asNumber(texts['life']), '--life'),
      tags: read(tags, said, '--tags'),
      createdBy: 'admin command',
    }
    return ({ config, log }) =>
      useDatabase(config, log, async db => {
        const made = await makeChange(
          db,
          byAdmin<{ enrolmentId: string }>(
            'create-enrolment',
            answer => answer && { kind: 'enrolment', id: answer.enrolmentId },
          ),
          tx => createEnrolment(tx, request),
        )
        return made.token
      })
  },
}

const asNumber = (value: string | undefined) => (value === undefined ? undefined : Number(value))

async function readPassword(file: string): Promise<string> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new BadUsage(`The password file ${file} cannot be read (${error.code ?? error.message}).`)
  })
  return content.replace(/\r?\n$/, '')
}
