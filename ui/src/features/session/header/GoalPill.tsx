import { Target } from "lucide-react";
import { cost, tokens } from "@/data/format";
import { useMeta } from "@/data/hub";
import { Badge, Icon, Popover, type Tone } from "@/ui";
import type { MetaGoalStatus } from "@/protocol/wire";
import { useOpenSession } from "../context";

const TONES: Record<MetaGoalStatus["status"], Tone> = { active: "run", met: "done", failed: "fail", cancelled: "plain" };
const WORDS: Record<MetaGoalStatus["status"], string> = { active: "Goal", met: "Goal met", failed: "Goal failed", cancelled: "Goal cancelled" };

/** What the session works towards by itself, and how much of its budget is used. */
export function GoalPill() {
  const { sessionId } = useOpenSession();
  const goal = useMeta(sessionId, (meta) => meta.goal);
  if (!goal) return null;
  return (
    <Popover
      align="end"
      label="Goal"
      className="w-80 p-4"
      trigger={
        <button type="button" className="rounded-full max-m:hidden">
          <Badge tone={TONES[goal.status]}>
            <Icon icon={Target} size={12} />
            {WORDS[goal.status]}
            {goal.status === "active" && goal.maxTurns !== undefined ? ` ${goal.turnCount}/${goal.maxTurns}` : ""}
          </Badge>
        </button>
      }
    >
      <p className="text-ui text-text">{goal.description}</p>
      <dl className="mt-3 grid grid-cols-[1fr_auto] gap-y-1 text-code text-text-2">
        <dt>Turns</dt>
        <dd className="text-right tnum">{goal.maxTurns === undefined ? goal.turnCount : `${goal.turnCount} of ${goal.maxTurns}`}</dd>
        <dt>Tokens</dt>
        <dd className="text-right tnum">{goal.maxTokens === undefined ? tokens(goal.tokenSpend) : `${tokens(goal.tokenSpend)} of ${tokens(goal.maxTokens)}`}</dd>
        <dt>Cost</dt>
        <dd className="text-right tnum">{goal.maxCost === undefined ? cost(goal.costSpend) : `${cost(goal.costSpend)} of ${cost(goal.maxCost)}`}</dd>
      </dl>
      {goal.lastReason && <p className="mt-3 border-t border-line pt-3 text-code text-text-2">{goal.lastReason}</p>}
    </Popover>
  );
}
