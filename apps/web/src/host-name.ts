// How names are shortened: the domain of a host goes first, then the middle, never the end, where the numbers are.

const LABEL = 26
/** What is never cut from the end of a name. */
const END = 12

/** A host's name for a narrow place: the domain goes first, then the middle of the first label, never its end. */
export function cutHostName(name: string): string {
  if (name.length <= LABEL) return name
  const label = isAddress(name) ? name : (name.split('.')[0] ?? name)
  // A name that begins with a dot is no host's, and nobody hides behind one.
  if (label === '') return cutMiddle(name, LABEL)
  if (label.length <= LABEL) return label
  return cutMiddle(label, LABEL)
}

/** A name of `most` characters: its middle goes. */
export function cutMiddle(name: string, most: number): string {
  const letters = [...name]
  if (letters.length <= most) return name
  return [...letters.slice(0, most - 1 - END), '…', ...letters.slice(-END)].join('')
}

/** A cut name as its first label and what follows it. An IP address has nothing that could go. */
export function splitDomain(name: string): { label: string; domain: string } {
  const cut = cutHostName(name)
  const dot = isAddress(cut) ? -1 : cut.indexOf('.')
  return dot < 1 ? { label: cut, domain: '' } : { label: cut.slice(0, dot), domain: cut.slice(dot) }
}

/** A name in two parts: where room is short the head may be cut, the end stays. A short name is all end. */
export function splitEnd(name: string): { head: string; end: string } {
  const letters = [...name]
  if (letters.length <= END + 2) return { head: '', end: name }
  return { head: letters.slice(0, -END).join(''), end: letters.slice(-END).join('') }
}

const isAddress = (name: string) => /^[\d.:]+$/.test(name)
