// What is wrong with the folders or patterns of a backup, in the server's own words.
import { BackupSpec } from '@restic-manager/contract/command'

/** Empty when there is nothing to complain about. */
export function complaintAboutSource(
  paths: string[],
  excludes: string[],
): { paths?: string; excludes?: string } {
  if (paths.length === 0) return { paths: 'Add at least one folder.' }
  const issue = BackupSpec.safeParse({ paths, excludes }).error?.issues[0]
  if (issue === undefined) return {}
  const [field, index] = issue.path
  const value = typeof index === 'number' ? (field === 'paths' ? paths : excludes)[index] : undefined
  const sentence = value === undefined ? issue.message : `${value} ${issue.message}.`
  return field === 'paths' ? { paths: sentence } : { excludes: sentence }
}
