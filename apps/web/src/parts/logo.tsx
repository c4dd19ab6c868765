// The mark of the product.

/** The logo, 20 px, decoration beside the name. */
export function Logo() {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden>
      <rect width="20" height="20" rx="5" fill="var(--accent-button)" />
      <path d="M5 6.5h10M5 10h10M5 13.5h6" stroke="#fff" strokeWidth="2" strokeLinecap="round" />
    </svg>
  )
}
