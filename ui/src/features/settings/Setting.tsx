import type { ReactNode } from "react";

/** One choice: what it is on the left, the control on the right (below on narrow screens). */
export function Setting({ label, hint, children }: { label: ReactNode; hint?: ReactNode; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-2 py-3">
      <div className="min-w-48 flex-1">
        <p className="text-ui font-medium">{label}</p>
        {hint && <p className="text-ui text-text-2">{hint}</p>}
      </div>
      <div className="shrink-0">{children}</div>
    </div>
  );
}
