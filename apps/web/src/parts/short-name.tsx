// Names where room is short: a host's domain goes first, then the middle of the name, never its end.
import { splitDomain, splitEnd } from '../host-name.ts'
import './short-name.css'

/** A name of anything: its middle goes. The whole name is in the title. */
export function ShortName({ name, title = name, rest }: { name: string; title?: string; rest?: string }) {
  const { head, end } = splitEnd(name)
  return (
    <span className="short-name" title={title}>
      {head !== '' && <span className="short-name-head">{head}</span>}
      <span className="short-name-end">{end}</span>
      {rest !== undefined && rest !== '' && <span className="short-name-rest">{rest}</span>}
    </span>
  )
}

/** A host's name: its domain goes before its label does. */
export function HostName({ name }: { name: string }) {
  const { label, domain } = splitDomain(name)
  return <ShortName name={label} title={name} rest={domain} />
}
