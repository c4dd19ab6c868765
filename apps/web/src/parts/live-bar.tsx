// How far a running job is. An unknown total shows movement, never a false per cent.
import './live-bar.css'

/** `share` from 0 to 1; undefined when the total is not known yet. `thick` on the job's own page. */
export function LiveBar({
  share,
  label,
  thick = false,
  still = false,
}: {
  share: number | undefined
  label: string
  thick?: boolean
  still?: boolean
}) {
  const known = share !== undefined
  const percent = known ? Math.max(0, Math.min(100, share * 100)) : 0
  return (
    <div
      className={`live-bar ${thick ? 'live-bar-thick' : ''} ${still ? 'live-bar-still' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(known && { 'aria-valuenow': Math.floor(percent) })}
    >
      {known ? (
        <div className="live-bar-fill" style={{ width: `${percent}%` }} />
      ) : (
        <div className="live-bar-stripes" />
      )}
    </div>
  )
}
