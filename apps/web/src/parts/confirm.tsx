// Asks once more before something that is not easily undone.
import { Button, Modal } from '@mantine/core'
import type { ReactNode } from 'react'

/** `children` says what will happen. */
export function Confirm({
  opened,
  onClose,
  title,
  verb,
  busy,
  problem,
  onConfirm,
  children,
}: {
  opened: boolean
  onClose: () => void
  title: string
  verb: string
  busy: boolean
  problem: ReactNode
  onConfirm: () => void
  children: ReactNode
}) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      size={480}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className="stack">
        <p className="second">{children}</p>
        {problem}
        <div className="row form-foot">
          <Button onClick={onClose} data-autofocus>
            Cancel
          </Button>
          <Button variant="filled" color="red" loading={busy} onClick={onConfirm}>
            {verb}
          </Button>
        </div>
      </div>
    </Modal>
  )
}
