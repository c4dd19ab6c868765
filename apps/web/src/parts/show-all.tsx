// A long list inside a page: its first rows, and a button that shows the others.
import { Button } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { formatCount } from '../format.ts'
import './show-all.css'

type Props<T> = {
  all: readonly T[]
  most: number
  noun: string
  children: (shown: readonly T[]) => ReactNode
}

/** Shows `most` of `all` until somebody wants to see every one. `noun`: in the plural. */
export function ShowAll<T>({ all, most, noun, children }: Props<T>) {
  const [open, setOpen] = useState(false)
  // A button that would show one row takes as much room as that row.
  const hides = !open && all.length > most + 1
  return (
    <>
      {children(hides ? all.slice(0, most) : all)}
      {hides && (
        <div className="show-all">
          <Button onClick={() => setOpen(true)}>
            All {formatCount(all.length)} {noun}
          </Button>
        </div>
      )}
    </>
  )
}
