// A secret that is shown once: to copy, to save, and to put away.
import { Button, Modal } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { saveText } from '../save-text.ts'
import { CodeBlock } from './code-block.tsx'
import { CopyText } from './copy.tsx'

/** `text` undefined: nothing to show. It closes by its button alone, so that a slip of the hand loses nothing. */
export function OnceShown({
  title,
  text,
  file,
  onClose,
  children,
}: {
  title: string
  text: string | undefined
  file?: string
  onClose: () => void
  children: ReactNode
}) {
  return (
    <Modal
      opened={text !== undefined}
      onClose={onClose}
      title={title}
      size={560}
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      <div className="stack">
        <div className="second">{children}</div>
        <CodeBlock label="Shown once" text={text ?? ''} />
        <div className="row row-wrap form-foot">
          {file !== undefined && text !== undefined && (
            <Button
              leftSection={<IconDownload size={16} stroke={1.75} aria-hidden />}
              onClick={() => saveText(file, [`${text}\n`])}
            >
              Save
            </Button>
          )}
          {text !== undefined && <CopyText text={text} />}
          <Button variant="filled" onClick={onClose}>
            I have kept it
          </Button>
        </div>
      </div>
    </Modal>
  )
}
