// Puts text on the clipboard and says so for a moment, also where the page is served without TLS.
import { Button } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useEffect, useState } from 'react'

/** The clipboard of browsers exists only on secure origins; elsewhere a selection is copied. */
async function copyText(text: string): Promise<boolean> {
  if (window.isSecureContext) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    )
  }
  const area = document.createElement('textarea')
  area.value = text
  area.style.position = 'fixed'
  area.style.opacity = '0'
  const place = document.activeElement?.closest('[role=dialog]') ?? document.body
  place.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  return done
}

/** Copies `text`. `main`: the one filled button of its place. */
export function CopyText({
  text,
  word = 'Copy',
  main = false,
}: {
  text: string
  word?: string
  main?: boolean
}) {
  const [said, setSaid] = useState<'copied' | 'failed'>()
  useEffect(() => {
    if (said === undefined) return
    const timer = setTimeout(() => setSaid(undefined), 2_000)
    return () => clearTimeout(timer)
  }, [said])
  const Icon = said === 'copied' ? IconCheck : IconCopy
  return (
    <Button
      variant={main ? 'filled' : 'default'}
      leftSection={<Icon size={16} stroke={1.75} aria-hidden />}
      onClick={async event => {
        event.currentTarget.focus()
        setSaid((await copyText(text)) ? 'copied' : 'failed')
      }}
    >
      <span aria-live="polite">
        {said === 'copied' ? 'Copied' : said === 'failed' ? 'Select it and copy' : word}
      </span>
    </Button>
  )
}
