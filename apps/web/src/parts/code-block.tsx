// Something to read or paste, in a sunken block of fixed-width text.
import './code-block.css'

/** Text as it stands, selectable, inert. */
export const CodeBlock = ({ text, label }: { text: string; label: string }) => (
  // A scrolling region has to be reachable by keyboard, and this one is selected by it.
  <pre className="code-block" aria-label={label}>
    {text}
  </pre>
)
