// What DATABASE_URL may say: one address, or several hosts of one replicated database as libpq writes them.
export type DatabaseAddress = {
  /** User, password, name and settings, with the first host. */
  url: URL
  /** In the order in which they are tried. */
  hosts: { host: string; port: number }[]
}

const shape = /^(?<before>postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?<hosts>[^/?#@]+)(?<after>\/.+)$/i

/** Takes an address apart; undefined when it is none. */
export function readDatabaseUrl(text: string): DatabaseAddress | undefined {
  const { before, hosts = '', after } = shape.exec(text)?.groups ?? {}
  const urls = hosts.split(',').map(host => URL.parse(`${before}${host}${after}`))
  const [first] = urls
  if (first == null || first.pathname.length < 2) return undefined
  const read = urls.flatMap(url =>
    url === null || url.hostname === ''
      ? []
      : [{ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 5432) }],
  )
  return read.length === urls.length ? { url: first, hosts: read } : undefined
}
