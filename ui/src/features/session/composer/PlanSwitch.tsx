import { Map as MapIcon } from "lucide-react";
import { useState } from "react";
import { runExec } from "@/data/answers";
import { messageOf } from "@/net/api";
import { Icon, Tooltip, toast } from "@/ui";
import { useOpenSession } from "../context";

/** In plan mode the agent may read, not change. The mark follows what the agent confirms. */
export function PlanSwitch({ on }: { on: boolean }) {
  const { sessionId } = useOpenSession();
  const [busy, setBusy] = useState(false);
  const toggle = async (): Promise<void> => {
    setBusy(true);
    try {
      await runExec(sessionId, "set_plan_mode", { enabled: !on });
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Tooltip text={on ? "Plan mode: the agent can read but not change anything" : "Plan mode"} side="top">
      <button type="button" className="chip" aria-pressed={on} aria-busy={busy || undefined} aria-label="Plan mode" onClick={() => void toggle()}>
        <Icon icon={MapIcon} size={14} />
        <span className={on ? "" : "max-l:sr-only"}>Plan</span>
      </button>
    </Tooltip>
  );
}
