// The scale of the rate graph: a round top, its unit, and the lines between.

/** `max` in bytes per second becomes a round top with a few steps in one binary unit. */
export function rateScale(max: number): { top: number; steps: number[]; unit: string; per: number } {
  const units = ['B/s', 'KiB/s', 'MiB/s', 'GiB/s']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, max)) / 10)))
  const per = 1024 ** power
  const value = Math.max(max / per, 1)
  const magnitude = 10 ** Math.floor(Math.log10(value / 4))
  const step =
    [1, 2, 2.5, 5, 10].map(factor => factor * magnitude).find(candidate => candidate * 4 >= value) ??
    value / 4
  return {
    top: step * 4 * per,
    steps: [0, 1, 2, 3, 4].map(index => index * step),
    unit: units[power] ?? 'B/s',
    per,
  }
}
