import { useRef, type KeyboardEvent, type PointerEvent } from "react";
import { cx } from "./cx";

/** One press of an arrow key, px. */
const STEP = 16;

/**
 * A divider between two panes that resizes the one it belongs to.
 * `value` and the limits are in pixels; `sign` is -1 when the pane lies after the divider.
 */
export function Splitter({ value, min, max, initial, onChange, label, vertical = true, sign = 1, className }: {
  value: number;
  min: number;
  max: number;
  initial: number;
  onChange: (value: number) => void;
  label: string;
  /** The divider stands upright and the panes are side by side. */
  vertical?: boolean;
  sign?: 1 | -1;
  className?: string;
}) {
  const start = useRef<{ at: number; value: number } | null>(null);
  const clamp = (next: number) => Math.round(Math.min(Math.max(next, min), Math.max(min, max)));
  const where = (event: PointerEvent) => (vertical ? event.clientX : event.clientY);
  const onKey = (event: KeyboardEvent) => {
    const back = vertical ? "ArrowLeft" : "ArrowUp";
    const on = vertical ? "ArrowRight" : "ArrowDown";
    if (event.key === back) onChange(clamp(value - STEP * sign));
    else if (event.key === on) onChange(clamp(value + STEP * sign));
    else if (event.key === "Home") onChange(clamp(min));
    else if (event.key === "End") onChange(clamp(max));
    else if (event.key === "Enter") onChange(clamp(initial));
    else return;
    event.preventDefault();
  };
  return (
    <div
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={vertical ? "vertical" : "horizontal"}
      aria-valuenow={value}
      aria-valuemin={min}
      aria-valuemax={Math.max(min, max)}
      onKeyDown={onKey}
      onDoubleClick={() => onChange(clamp(initial))}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { at: where(event), value };
        event.preventDefault();
      }}
      onPointerMove={(event) => {
        if (start.current) onChange(clamp(start.current.value + (where(event) - start.current.at) * sign));
      }}
      onPointerUp={() => (start.current = null)}
      onPointerCancel={() => (start.current = null)}
      className={cx(
        "relative z-10 shrink-0 touch-none bg-line transition-colors hover:bg-line-strong focus-visible:bg-accent focus-visible:outline-offset-0",
        vertical ? "w-px cursor-col-resize before:absolute before:inset-y-0 before:-inset-x-1.5 before:content-['']" : "h-px cursor-row-resize before:absolute before:inset-x-0 before:-inset-y-1.5 before:content-['']",
        className,
      )}
    />
  );
}
