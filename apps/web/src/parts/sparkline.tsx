// A trend as a small line, in a cell.

const WIDTH = 88
const HEIGHT = 20

/** `values` are oldest first. One value or none is drawn as nothing. `label` says what the line says. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  if (values.length < 2) return <span className="dim">–</span>
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const span = most - least || 1
  const points = values.map((value, index) => {
    const x = 1 + (index / (values.length - 1)) * (WIDTH - 2)
    const y = most === least ? HEIGHT / 2 : HEIGHT - 2 - ((value - least) / span) * (HEIGHT - 4)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={label} className="sparkline">
      <polyline points={points.join(' ')} />
    </svg>
  )
}
