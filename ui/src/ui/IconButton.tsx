import type { LucideIcon } from "lucide-react";
import type { ButtonHTMLAttributes, Ref } from "react";
import { BASE, KINDS, type ButtonKind, type ButtonSize } from "./Button";
import { cx } from "./cx";
import { Icon } from "./Icon";
import { Spinner } from "./Spinner";
import { Tooltip } from "./Tooltip";

export interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> {
  icon: LucideIcon;
  /** Name for assistive technology and the tooltip. */
  label: string;
  /** Shortcut shown in the tooltip, e.g. "⌘K". */
  keys?: string | undefined;
  kind?: ButtonKind;
  size?: ButtonSize;
  busy?: boolean;
  tip?: boolean;
  side?: "top" | "bottom" | "left" | "right";
  ref?: Ref<HTMLButtonElement>;
}

const SQUARE: Record<ButtonSize, string> = {
  sm: "size-7 pointer-coarse:size-11",
  md: "size-[var(--control)]",
  lg: "size-10 pointer-coarse:size-12",
};

export function IconButton({ icon, label, keys, kind = "quiet", size = "md", busy = false, tip = true, side = "bottom", className, onClick, type = "button", ...rest }: IconButtonProps) {
  const button = (
    <button
      type={type}
      aria-label={label}
      aria-busy={busy || undefined}
      className={cx(BASE, KINDS[kind], SQUARE[size], className)}
      onClick={busy ? undefined : onClick}
      {...rest}
    >
      {busy ? <Spinner size={14} /> : <Icon icon={icon} />}
    </button>
  );
  return tip ? (
    <Tooltip text={label} keys={keys} side={side}>
      {button}
    </Tooltip>
  ) : (
    button
  );
}
