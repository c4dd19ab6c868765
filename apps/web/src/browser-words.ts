// What a browser says of itself, in two words.

const browsers = [
  ['Edg/', 'Edge'],
  ['OPR/', 'Opera'],
  ['Firefox/', 'Firefox'],
  ['FxiOS/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['CriOS/', 'Chrome'],
  ['Safari/', 'Safari'],
] as const
const systems = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'macOS'],
  ['CrOS', 'ChromeOS'],
  ['Linux', 'Linux'],
] as const

const firstIn = (agent: string, words: readonly (readonly [string, string])[]) =>
  words.find(([mark]) => agent.includes(mark))?.[1]

/** "Firefox on Linux"; what it said where that is none of the known ones. A browser may say what it likes. */
export function browserWords(agent: string | null): string {
  if (agent === null || agent === '') return 'Unknown browser'
  const browser = firstIn(agent, browsers)
  if (browser === undefined) return agent.length > 60 ? `${agent.slice(0, 60)}…` : agent
  const system = firstIn(agent, systems)
  return system === undefined ? browser : `${browser} on ${system}`
}
