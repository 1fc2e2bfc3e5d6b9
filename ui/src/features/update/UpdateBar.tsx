import { RefreshCw, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { useStore } from "zustand";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { updates } from "./updates";

/** Offers a reload; never takes it by itself. */
export function UpdateBar() {
  const { available, mismatch, degraded } = useStore(updates);
  const [later, setLater] = useState(false);
  if (mismatch) {
    return (
      <Bar tone="bg-fail-tint" role="alert" icon={TriangleAlert} action={mismatch === "page" ? { label: "Reload", run: () => location.reload() } : undefined}>
        {mismatch === "page" ? "This page is older than the relay. Reload before you go on." : "The relay is older than this page and needs an update. Some things may not work."}
      </Bar>
    );
  }
  if (available && !later) {
    return (
      <Bar tone="bg-accent-tint" icon={RefreshCw} action={{ label: "Reload", run: () => location.reload() }} onLater={() => setLater(true)}>
        A new version is ready.
      </Bar>
    );
  }
  if (degraded) return <Bar tone="bg-press">The relay reports trouble. Some things may be slow.</Bar>;
  return null;
}

function Bar({ tone, icon, children, action, onLater, role = "status" }: {
  tone: string;
  icon?: typeof RefreshCw;
  children: string;
  action?: { label: string; run: () => void } | undefined;
  onLater?: () => void;
  role?: "status" | "alert";
}) {
  return (
    <div role={role} className={`flex min-h-9 items-center justify-center gap-2.5 border-b border-line px-4 py-1 text-code ${tone}`}>
      {icon && <Icon icon={icon} size={14} />}
      <span>{children}</span>
      {action && (
        <Button size="sm" kind="accent" onClick={action.run}>
          {action.label}
        </Button>
      )}
      {onLater && (
        <Button size="sm" kind="quiet" onClick={onLater}>
          Later
        </Button>
      )}
    </div>
  );
}
