// Asks before somebody leaves a form with changes that are not saved.
import { Button, Modal } from '@mantine/core'
import { useBlocker } from '@tanstack/react-router'

/** `isDirty` is asked at the moment of leaving, so that a form may let its own last step pass. */
export function LeaveGuard({ isDirty }: { isDirty: () => boolean }) {
  const blocker = useBlocker({ shouldBlockFn: isDirty, enableBeforeUnload: isDirty, withResolver: true })
  return (
    <Modal
      opened={blocker.status === 'blocked'}
      onClose={() => blocker.reset?.()}
      title="Leave without saving?"
      size={440}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className="stack">
        <p>What you changed here is not saved yet.</p>
        <div className="row form-foot">
          <Button data-autofocus onClick={() => blocker.reset?.()}>
            Stay here
          </Button>
          <Button variant="filled" color="red" onClick={() => blocker.proceed?.()}>
            Leave
          </Button>
        </div>
      </div>
    </Modal>
  )
}
