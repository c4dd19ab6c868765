// Where an admin asks for the secrets of a repository once more.
import { Button } from '@mantine/core'
import { IconLifebuoy } from '@tabler/icons-react'
import { useState } from 'react'
import { lazyDialog } from './lazy-dialog.tsx'

const KitDialog = lazyDialog(async () => (await import('./kit-dialog.tsx')).KitDialog)

/** A button that opens the recovery kit. */
export function RevealKit({ repository }: { repository: { id: string; name: string } }) {
  const [opened, setOpened] = useState(false)
  return (
    <>
      <Button
        leftSection={<IconLifebuoy size={16} stroke={1.75} aria-hidden />}
        onClick={() => setOpened(true)}
      >
        Recovery kit
      </Button>
      <KitDialog repository={repository} opened={opened} onClose={() => setOpened(false)} />
    </>
  )
}
