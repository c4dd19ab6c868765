// Offers the recovery kit of a repository, to download or print.
import { Button } from '@mantine/core'
import { IconDownload, IconPrinter } from '@tabler/icons-react'
import { type KitOf, recoveryKit } from '../recovery-kit.ts'
import { saveText } from '../save-text.ts'
import { CodeBlock } from './code-block.tsx'
import { CopyText } from './copy.tsx'
import { Panel } from './panel.tsx'
import './recovery-kit-panel.css'

/** Made in the browser: the kit never travels. `last`: the password is not shown again by itself. */
export function RecoveryKitPanel({ of, last = true }: { of: KitOf; last?: boolean }) {
  const kit = recoveryKit(of)
  return (
    <Panel
      title="Recovery kit"
      actions={
        <>
          <Button
            leftSection={<IconPrinter size={16} stroke={1.75} aria-hidden />}
            onClick={() => window.print()}
          >
            Print
          </Button>
          <Button
            leftSection={<IconDownload size={16} stroke={1.75} aria-hidden />}
            onClick={() => saveText(`recovery-kit-${of.name.replaceAll(/[^\w.-]+/g, '-')}.txt`, [kit])}
          >
            Download
          </Button>
        </>
      }
    >
      <div className="stack stack-sm">
        <p>
          Keep it where you find it when every machine is gone. With it, plain restic restores everything;
          without the password nobody can.
        </p>
        <div className="row row-wrap">
          <CodeBlock text={of.password} label="Repository password" />
          <CopyText text={of.password} word="Copy password" />
        </div>
        {last && (
          <p className="dim">
            The page shows the password only now. An admin can ask for it again, under Recovery kit.
          </p>
        )}
      </div>
      <pre className="print-only">{kit}</pre>
    </Panel>
  )
}
