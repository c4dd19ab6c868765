// The banner of a page that is served without TLS: what is typed there can be read on the way.
import { Notice } from './notice.tsx'

/** To this machine alone nothing travels anywhere. */
const travels = () => location.protocol === 'http:' && !/^(localhost|127\.|\[::1\])/.test(location.hostname)

/** Shown wherever passwords are typed or secrets are shown. Nothing over TLS, or on the machine itself. */
export const PlainHttpWarning = () =>
  travels() && (
    <Notice tone="warn" title="This page and its passwords travel unencrypted.">
      Set RM_TLS_CERT_FILE and RM_TLS_KEY_FILE on the server, or put a proxy with TLS in front of it.
    </Notice>
  )
