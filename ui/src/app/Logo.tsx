/** The product's mark: a slice whose toppings are a prompt and a cursor. */
export function Logo({ size = 24, className }: { size?: number; className?: string }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" className={className}>
      <path d="M4.6 8.4C11.7 5 20.3 5 27.4 8.4L16.9 28.1a1 1 0 0 1-1.8 0Z" fill="currentColor" />
      <path d="M3.6 6.9C11.2 3 20.8 3 28.4 6.9" fill="none" stroke="currentColor" strokeWidth="2.6" strokeLinecap="round" opacity="0.55" />
      <path d="m11.4 11.6 3.4 2.7-3.4 2.7" fill="none" stroke="var(--bg)" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
      <path d="M17 18h3" stroke="var(--bg)" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
