// Dialogs that are loaded when they are wanted.
import { type ComponentType, lazy, Suspense, useEffect, useState } from 'react'

type Shown = { opened: boolean }

/**
 * A dialog whose code comes with its first opening. It is put there closed and then opened: a dialog notes what had the focus when
 * it opens, and one that is there open from the start never gives the focus back.
 */
export function lazyDialog<Props extends Shown>(load: () => Promise<ComponentType<Props>>) {
  const Late = lazy(async () => {
    const Dialog = await load()
    function LateDialog(props: Props) {
      const [isThere, setThere] = useState(false)
      useEffect(() => setThere(true), [])
      return <Dialog {...props} opened={props.opened && isThere} />
    }
    return { default: LateDialog }
  })
  return function OnceWanted(props: Props) {
    const [isWanted, setWanted] = useState(props.opened)
    if (props.opened && !isWanted) setWanted(true)
    return <Suspense>{isWanted && <Late {...props} />}</Suspense>
  }
}
