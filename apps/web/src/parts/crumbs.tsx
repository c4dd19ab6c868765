// Where you are: pages say it, the top bar shows it, and the window's title follows.
import { Link, type LinkProps } from '@tanstack/react-router'
import { createContext, type ReactNode, use, useEffect } from 'react'
import { createPortal } from 'react-dom'
import './crumbs.css'

const Slot = createContext<HTMLElement | null>(null)

/** Hands the place in the top bar to the pages. */
export const CrumbSlot = ({ value, children }: { value: HTMLElement | null; children: ReactNode }) => (
  <Slot value={value}>{children}</Slot>
)

/** The way here. `here` is the page itself in words; `shown` is how it stands in the bar where that differs. */
export function Crumbs({
  way,
  here,
  shown,
}: {
  way?: { word: string; link: LinkProps }[]
  here: string
  shown?: ReactNode
}) {
  const slot = use(Slot)
  useEffect(() => {
    document.title = `${here} · restic-manager`
  }, [here])
  if (slot === null) return null
  return createPortal(
    <ol className="crumbs">
      {way?.map(({ word, link }) => (
        <li key={word} className="crumbs-before">
          <Link {...link} className="second cut">
            {word}
          </Link>
        </li>
      ))}
      <li className="crumbs-here cut" aria-current="page">
        {shown ?? here}
      </li>
    </ol>,
    slot,
  )
}
