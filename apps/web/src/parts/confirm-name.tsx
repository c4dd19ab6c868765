// Asks for the name of what is about to be removed, so that a slip of the hand removes nothing.
import { Button, Modal, TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'

/** `children` says what will happen and what stays. The button works once the name is typed. */
export function ConfirmName({
  opened,
  onClose,
  title,
  name,
  verb,
  busy,
  problem,
  onConfirm,
  children,
}: {
  opened: boolean
  onClose: () => void
  title: string
  name: string
  verb: string
  busy: boolean
  problem: ReactNode
  onConfirm: () => void
  children: ReactNode
}) {
  const [typed, setTyped] = useState('')
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      onExitTransitionEnd={() => setTyped('')}
      title={title}
      size={520}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          if (typed === name) onConfirm()
        }}
      >
        {children}
        <TextInput
          label={
            <>
              Type <span className="mono">{name}</span> to confirm
            </>
          }
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={event => setTyped(event.currentTarget.value)}
        />
        {problem}
        <div className="row form-foot">
          <Button onClick={onClose}>Keep it</Button>
          <Button type="submit" variant="filled" color="red" disabled={typed !== name} loading={busy}>
            {verb}
          </Button>
        </div>
      </form>
    </Modal>
  )
}
