import type { LucideIcon, LucideProps } from "lucide-react";

/** A Lucide glyph at the interface's size and stroke. Decorative: the control around it carries the name. */
export function Icon({ icon: Glyph, size = 16, ...rest }: { icon: LucideIcon; size?: number } & Omit<LucideProps, "size" | "ref">) {
  return <Glyph size={size} strokeWidth={1.75} aria-hidden="true" focusable="false" className="shrink-0" {...rest} />;
}
