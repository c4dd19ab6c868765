// A sentence that must be seen: what it is about, why, and the button that clears it.
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconInfoCircle } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import './notice.css'

const icons = { good: IconCircleCheck, warn: IconAlertTriangle, bad: IconCircleX, accent: IconInfoCircle }

/** A notice in the colours of its tone. `action` stands at its right. */
export function Notice({
  tone,
  title,
  children,
  action,
}: {
  tone: keyof typeof icons
  title: ReactNode
  children?: ReactNode
  action?: ReactNode
}) {
  const Icon = icons[tone]
  return (
    <div className={`notice notice-${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <Icon className={`notice-icon tone-${tone}`} size={18} stroke={1.75} aria-hidden />
      <div className="grow">
        <p className="notice-title break">{title}</p>
        {children != null && <div className="notice-why second break">{children}</div>}
      </div>
      {action != null && <div className="notice-action">{action}</div>}
    </div>
  )
}
