import type { SessionStatus } from "@/data/attention";
import { cx } from "./cx";

/** Words and colour of each state; the shape is drawn below, so that no state depends on colour alone. */
export const STATUS: Record<SessionStatus, { text: string; color: string }> = {
  needs: { text: "Needs you", color: "text-wait" },
  failed: { text: "Failed", color: "text-fail" },
  retrying: { text: "Retrying", color: "text-fail" },
  compacting: { text: "Compacting", color: "text-run" },
  starting: { text: "Starting", color: "text-run" },
  running: { text: "Running", color: "text-run" },
  unread: { text: "Finished", color: "text-done" },
  idle: { text: "Idle", color: "text-text-3" },
  lost: { text: "No contact", color: "text-text-3" },
  ended: { text: "Ended", color: "text-text-3" },
};

function Shape({ status }: { status: SessionStatus }) {
  switch (status) {
    case "needs":
      return <path d="M8 1.8 14.2 8 8 14.2 1.8 8Z" fill="currentColor" />;
    case "failed":
      return <path d="M8 2.2 14.4 13.4H1.6Z" fill="currentColor" />;
    case "running":
      return <circle cx="8" cy="8" r="4.5" fill="currentColor" />;
    case "retrying":
    case "compacting":
      return (
        <>
          <circle cx="8" cy="8" r="4.6" fill="none" stroke="currentColor" strokeWidth="1.6" />
          <path d="M8 3.4a4.6 4.6 0 0 0 0 9.2Z" fill="currentColor" />
        </>
      );
    case "starting":
      return <circle cx="8" cy="8" r="4.6" fill="none" stroke="currentColor" strokeWidth="1.6" strokeDasharray="7 3" />;
    case "unread":
      return <path d="m3.2 8.6 3.2 3.2 6.4-7.2" fill="none" stroke="currentColor" strokeWidth="2.1" strokeLinecap="round" strokeLinejoin="round" />;
    case "idle":
      return <circle cx="8" cy="8" r="4" fill="none" stroke="currentColor" strokeWidth="1.5" />;
    case "lost":
      return <circle cx="8" cy="8" r="4" fill="none" stroke="currentColor" strokeWidth="1.5" strokeDasharray="2.1 2.1" />;
    case "ended":
      return <rect x="4.6" y="4.6" width="6.8" height="6.8" rx="1.2" fill="currentColor" fillOpacity="0.65" />;
  }
}

/** The one source of "state → shape, colour, words". `label` replaces the words, e.g. with the reason. */
export function StatusMark({ status, label, size = 16, hidden = false }: { status: SessionStatus; label?: string; size?: number; hidden?: boolean }) {
  const { text, color } = STATUS[status];
  const moving = status === "running" || status === "starting";
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      data-status={status}
      className={cx("shrink-0", color, moving && "pulse")}
      {...(hidden ? { "aria-hidden": true } : { role: "img", "aria-label": label ?? text })}
    >
      <Shape status={status} />
    </svg>
  );
}
