// The frame of pages before sign-in: one narrow panel under the name of the product.
import type { ReactNode } from 'react'
import { Logo } from './logo.tsx'
import './entrance.css'

/** A narrow page with a title and one thing to do. */
export const Entrance = ({ title, children }: { title: string; children: ReactNode }) => (
  <main className="entrance">
    <p className="entrance-name">
      <Logo /> restic-manager
    </p>
    <div className="entrance-panel stack">
      <h1 className="entrance-title">{title}</h1>
      {children}
    </div>
  </main>
)
