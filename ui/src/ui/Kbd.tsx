import { cx } from "./cx";

/** Keys of a shortcut, already spelled for the platform (see `app/hotkeys`). */
export function Kbd({ keys, inverse = false, className }: { keys: string; inverse?: boolean; className?: string }) {
  return (
    <kbd className={cx("font-sans text-group tracking-wide tnum", inverse ? "opacity-70" : "text-text-3", className)}>{keys}</kbd>
  );
}
