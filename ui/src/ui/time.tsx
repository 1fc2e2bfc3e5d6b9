import { useSyncExternalStore } from "react";
import { relativeTime } from "@/data/format";
import { minuteTicker } from "@/net/clock";

/** "5 min" since `at` (Unix ms or ISO). Ticks with the one timer of the page; exact time on hover. */
export function RelativeTime({ at, className }: { at: number | string; className?: string }) {
  const now = useSyncExternalStore(minuteTicker.subscribe, minuteTicker.get);
  const ms = typeof at === "number" ? at : Date.parse(at);
  if (!Number.isFinite(ms)) return null;
  return (
    <time dateTime={new Date(ms).toISOString()} title={new Date(ms).toLocaleString()} className={className}>
      {relativeTime(ms, now)}
    </time>
  );
}
