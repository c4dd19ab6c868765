// Names where room is short: a host's domain goes first, then the middle of the name, never its end.
import { cutMiddle, splitDomain, splitEnd } from '../host-name.ts'
import './short-name.css'

/** A part that is drawn and not read: the whole name stands beside it, for who listens, searches or copies. */
const Drawn = ({ text, className }: { text: string; className: string }) =>
  text !== '' && <span className={`${className} short-name-drawn`} data-text={text} aria-hidden />

function Shortened({ text, rest = '', title }: { text: string; rest?: string; title: string }) {
  const { head, end } = splitEnd(text)
  return (
    <span className="short-name" title={title}>
      <span className="visually-hidden">{title}</span>
      <Drawn text={head} className="short-name-head" />
      <Drawn text={end} className="short-name-end" />
      <Drawn text={rest} className="short-name-rest" />
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
