// Somebody else saved the schedule that is being edited: what differs, and the two ways on.
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import type { ScheduleView } from '@restic-manager/contract/views'
import { Button, Modal } from '@mantine/core'
import { changesBetween } from '../schedule-draft.ts'

const words = (changes: string[]) => (changes.length === 0 ? 'nothing' : changes.join(', '))

/** `edited` is the version the draft began from, `newest` what is saved now. Closing keeps everything as it was typed. */
export function StaleSchedule({
  edited,
  newest,
  draft,
  sentence,
  onTake,
  onKeep,
  onClose,
}: {
  edited: ScheduleView
  newest: ScheduleView
  draft: ScheduleDraft
  sentence: string
  onTake: () => void
  onKeep: () => void
  onClose: () => void
}) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={`Somebody else saved version ${newest.version}`}
      size={560}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className="stack">
        <p>{sentence}</p>
        <dl className="details">
          <div>
            <dt className="dim">They changed</dt>
            <dd>{words(changesBetween(edited.schedule, newest.schedule))}</dd>
          </div>
          <div>
            <dt className="dim">You changed</dt>
            <dd>{words(changesBetween(edited.schedule, draft))}</dd>
          </div>
        </dl>
        <p className="dim">
          Keep yours: what you changed stays as you typed it, the rest becomes as they saved it, and nothing
          is saved before you save again. Take theirs to begin again from what is saved.
        </p>
        <div className="row form-foot row-wrap">
          <Button onClick={onTake}>Take theirs</Button>
          <Button data-autofocus variant="filled" onClick={onKeep}>
            Keep mine, look again
          </Button>
        </div>
      </div>
    </Modal>
  )
}
