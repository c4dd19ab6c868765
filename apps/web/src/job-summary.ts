// The numbers of a finished backup, out of restic's own summary. Any of them may be missing: restic decides.

export type JobSummary = {
  filesNew: number | undefined
  filesChanged: number | undefined
  filesUnmodified: number | undefined
  files: number | undefined
  bytes: number | undefined
  added: number | undefined
  stored: number | undefined
}

/** Reads restic's names; what is not a number is left out. */
export function summaryOf(stats: Record<string, unknown> | null): JobSummary | undefined {
  if (stats === null) return undefined
  const number = (name: string) => {
    const value = stats[name]
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  }
  return {
    filesNew: number('files_new'),
    filesChanged: number('files_changed'),
    filesUnmodified: number('files_unmodified'),
    files: number('total_files_processed'),
    bytes: number('total_bytes_processed'),
    added: number('data_added'),
    stored: number('data_added_packed'),
  }
}
