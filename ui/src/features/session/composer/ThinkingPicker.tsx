import { Brain } from "lucide-react";
import { useState } from "react";
import { runExec } from "@/data/answers";
import { useMeta } from "@/data/hub";
import { messageOf } from "@/net/api";
import { Icon, Popover, Spinner, cx, toast } from "@/ui";
import { useFacts, useOpenSession } from "../context";

const STANDARD = ["off", "minimal", "low", "medium", "high"];
const WORDS: Record<string, string> = { off: "Off", minimal: "Minimal", low: "Low", medium: "Medium", high: "High", xhigh: "Very high", max: "Maximum" };

/** How long the model thinks; only where it can. */
export function ThinkingPicker({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const { model: session, sessionId } = useOpenSession();
  const model = useFacts(session, (facts) => facts.model);
  const own = useFacts(session, (facts) => facts.thinkingLevel);
  const level = useMeta(sessionId, (meta) => meta.thinkingLevel) ?? own ?? "off";
  const [pending, setPending] = useState<string | null>(null);
  if (!model?.reasoning) return null;
  const levels = model.levels.length > 0 ? model.levels : STANDARD;
  const choose = async (wanted: string): Promise<void> => {
    onOpenChange(false);
    setPending(wanted);
    try {
      await runExec(sessionId, "set_thinking_level", { level: wanted });
    } catch (error) {
      toast(`Thinking stays at ${WORDS[level] ?? level}. ${messageOf(error)}`, { tone: "fail" });
    } finally {
      setPending(null);
    }
  };
  return (
    <Popover
      open={open}
      onOpenChange={onOpenChange}
      side="top"
      label="Thinking"
      className="p-1"
      trigger={
        <button type="button" className="chip" aria-label={`Thinking: ${WORDS[level] ?? level}`}>
          <Icon icon={Brain} size={14} />
          <span className="max-m:sr-only">{WORDS[level] ?? level}</span>
          {pending !== null && <Spinner size={12} />}
        </button>
      }
    >
      <p className="px-2 pt-1.5 pb-1 text-meta font-medium text-text-3">Thinking</p>
      <div role="radiogroup" aria-label="Thinking" className="flex flex-col">
        {levels.map((entry) => (
          <button
            key={entry}
            type="button"
            role="radio"
            aria-checked={entry === level}
            className={cx("flex min-h-8 min-w-40 items-center rounded-ctl px-2 text-left text-ui hover:bg-hover pointer-coarse:min-h-11", entry === level && "font-medium text-text")}
            onClick={() => void choose(entry)}
          >
            <span className="flex-1">{WORDS[entry] ?? entry}</span>
            {entry === level && <span className="size-1.5 rounded-full bg-accent" />}
          </button>
        ))}
      </div>
    </Popover>
  );
}
