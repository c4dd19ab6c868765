// The files a backup hands to restic: lists of paths and patterns can be longer than any command line.
import { randomUUID } from 'node:crypto'
import { promises as disk } from 'node:fs'
import { join } from 'node:path'
import type { BackupSpec } from '@restic-manager/contract/command'
import { excludeFileText, type BackupFiles } from '../restic/args.ts'
import { fitText } from '../restic/fit-text.ts'
import type { Outcome } from './context.ts'

/** Writes the files for as long as `work` takes. Does not reject when the disk refuses: that is an outcome. */
export async function withBackupFiles(
  folder: string,
  spec: BackupSpec,
  work: (files: BackupFiles) => Promise<Outcome>,
): Promise<Outcome> {
  const mark = randomUUID()
  const written: string[] = []
  const write = async (name: string, text: string) => {
    const path = join(folder, `${name}-${mark}`)
    await disk.writeFile(path, text, { mode: 0o600, flag: 'wx' })
    written.push(path)
    return path
  }
  try {
    let files: BackupFiles
    try {
      files = {
        paths: await write('paths', spec.paths.map(path => `${path}\0`).join('')),
        excludes: await write('excludes', excludeFileText(spec.excludes ?? [])),
        iexcludes: await write('iexcludes', excludeFileText(spec.options?.iexcludes ?? [])),
      }
    } catch (error) {
      return unwritable(error)
    }
    return await work(files)
  } finally {
    // The next start empties the folder: what is left there is no reason to lose an outcome.
    await Promise.all(written.map(path => disk.rm(path, { force: true }).catch(() => {})))
  }
}

/** The host's own disk is full, or its folder for temporary files is gone. */
function unwritable(error: unknown): Outcome {
  const words = error instanceof Error ? error.message : String(error)
  const sentence = fitText(`The list of folders could not be written for restic: ${words}`, 2_000)
  return { status: 'failed', reason: 'permission', error: sentence, warnings: [] }
}
