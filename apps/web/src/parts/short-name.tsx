// Names where room is short: a host's domain goes first, then the middle of the name, never its end.
import { cutMiddle, splitDomain, splitEnd } from '../host-name.ts'
import './short-name.css'

function Shortened({ text, rest, title }: { text: string; rest?: string; title: string }) {
  const { head, end } = splitEnd(text)
  return (
    <span className="short-name" title={title}>
      {head !== '' && <span className="short-name-head">{head}</span>}
      <span className="short-name-end">{end}</span>
      {rest !== undefined && rest !== '' && <span className="short-name-rest">{rest}</span>}
    </span>
  )
}

/** A name of anything, of `most` characters or what there is room for. The whole is in the title. */
export const ShortName = ({ name, most = 26 }: { name: string; most?: number }) => (
  <Shortened text={cutMiddle(name, most)} title={name} />
)

/** A host's name: its domain goes before its label does. */
export function HostName({ name }: { name: string }) {
  const { label, domain } = splitDomain(name)
  return <Shortened text={label} rest={domain} title={name} />
}
