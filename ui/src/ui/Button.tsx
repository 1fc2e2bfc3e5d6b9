import type { LucideIcon } from "lucide-react";
import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { cx } from "./cx";
import { Icon } from "./Icon";
import { Spinner } from "./Spinner";

export type ButtonKind = "ink" | "outline" | "quiet" | "danger" | "accent";
export type ButtonSize = "sm" | "md" | "lg";

export const KINDS: Record<ButtonKind, string> = {
  ink: "bg-ink text-on-ink hover:bg-ink-hover",
  outline: "bg-surface text-text border border-line-strong/50 hover:bg-hover hover:border-line-strong",
  quiet: "text-text-2 hover:bg-hover hover:text-text aria-pressed:bg-press aria-pressed:text-text data-[state=open]:bg-press",
  danger: "bg-fail-tint text-fail border border-fail/30 hover:border-fail",
  accent: "text-accent hover:bg-accent-tint",
};

const SIZES: Record<ButtonSize, string> = {
  sm: "h-7 px-2.5 text-code pointer-coarse:h-11",
  md: "h-[var(--control)] px-3 text-ui",
  lg: "h-10 px-4 text-ui pointer-coarse:h-12",
};

export const BASE =
  "relative inline-flex items-center justify-center gap-1.5 rounded-ctl font-medium whitespace-nowrap select-none transition-colors disabled:opacity-45 disabled:pointer-events-none aria-disabled:opacity-45 forced-border";

/** Classes of a button, for links that look like one. */
export function buttonClass(kind: ButtonKind = "outline", size: ButtonSize = "md", extra?: string): string {
  return cx(BASE, KINDS[kind], SIZES[size], extra);
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  size?: ButtonSize;
  icon?: LucideIcon;
  /** Work is going on: label and width stay, presses are ignored. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
  children?: ReactNode;
}

export function Button({ kind = "outline", size = "md", icon, busy = false, className, children, onClick, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={buttonClass(kind, size, className)}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
      {...rest}
    >
      {icon && <Icon icon={icon} />}
      {children}
      {busy && <Spinner size={14} className="ml-0.5" />}
    </button>
  );
}
