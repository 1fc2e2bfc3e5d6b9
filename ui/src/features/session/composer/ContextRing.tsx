import { useState } from "react";
import { runExec } from "@/data/answers";
import { cost, tokens } from "@/data/format";
import { useMeta } from "@/data/hub";
import { messageOf } from "@/net/api";
import { Button, Popover, TextArea, cx, toast } from "@/ui";
import { useFacts, useOpenSession } from "../context";

const AMBER = 0.65;
const RED = 0.85;
const COMPACT_MS = 10 * 60_000;

/** How full the model's memory is, what it cost, and the way to make room. */
export function ContextRing() {
  const { sessionId, model: session } = useOpenSession();
  const usage = useMeta(sessionId, (meta) => meta.tokenUsage) ?? null;
  const own = useFacts(session, (facts) => facts.model);
  const compacting = useFacts(session, (facts) => facts.compacting);
  const window = own?.contextWindow ?? null;
  const used = usage?.contextTokens ?? null;
  const share = used !== null && window !== null && window > 0 ? Math.min(1, used / window) : null;
  if (!usage) return null;
  const tone = share === null || share < AMBER ? "text-text-2" : share < RED ? "text-wait" : "text-fail";
  const percent = share === null ? null : Math.round(share * 100);
  return (
    <Popover
      side="top"
      align="end"
      label="Context"
      className="w-72 p-4"
      trigger={
        <button type="button" className={cx("chip chip-ring", tone)} aria-label={percent === null ? "Context and cost" : `Context ${percent} % full`}>
          <Ring share={share ?? 0} />
          {percent !== null && <span className="tnum max-m:sr-only">{percent}%</span>}
        </button>
      }
    >
      <div className="flex items-baseline gap-2">
        <span className="text-section font-semibold tnum">{used === null ? "Estimating" : tokens(used)}</span>
        <span className="text-ui text-text-3">{window === null ? "tokens in context" : `of ${tokens(window)} tokens`}</span>
      </div>
      <div className="mt-2 h-1.5 overflow-hidden rounded-full bg-press">
        <div className={cx("h-full rounded-full bg-current", tone)} style={{ width: `${(share ?? 0) * 100}%` }} />
      </div>
      <dl className="mt-3 grid grid-cols-[1fr_auto] gap-y-1 text-code text-text-2">
        <dt>Input</dt>
        <dd className="text-right tnum">{tokens(usage.input)}</dd>
        <dt>Output</dt>
        <dd className="text-right tnum">{tokens(usage.output)}</dd>
        <dt>Read from cache</dt>
        <dd className="text-right tnum">{tokens(usage.cacheRead)}</dd>
        <dt>Written to cache</dt>
        <dd className="text-right tnum">{tokens(usage.cacheWrite)}</dd>
        <dt className="font-medium text-text">Cost</dt>
        <dd className="text-right font-medium text-text tnum">{cost(usage.cost)}</dd>
      </dl>
      <Compact busy={compacting} />
    </Popover>
  );
}

export function Ring({ share }: { share: number }) {
  const radius = 6.25;
  const length = 2 * Math.PI * radius;
  return (
    <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true" className="-rotate-90">
      <circle cx="9" cy="9" r={radius} fill="none" stroke="currentColor" strokeOpacity="0.22" strokeWidth="2.5" />
      <circle cx="9" cy="9" r={radius} fill="none" stroke="currentColor" strokeWidth="2.5" strokeLinecap="round" strokeDasharray={`${share * length} ${length}`} />
    </svg>
  );
}

function Compact({ busy }: { busy: boolean }) {
  const { sessionId } = useOpenSession();
  const [asking, setAsking] = useState(false);
  const [keep, setKeep] = useState("");
  const run = async (): Promise<void> => {
    setAsking(false);
    try {
      await runExec(sessionId, "compact", keep.trim() === "" ? {} : { customInstructions: keep.trim() }, COMPACT_MS);
    } catch (error) {
      toast(`Not compacted. ${messageOf(error)}`, { tone: "fail" });
    }
  };
  if (!asking)
    return (
      <Button size="sm" className="mt-3 w-full" busy={busy} onClick={() => setAsking(true)}>
        {busy ? "Compacting" : "Compact…"}
      </Button>
    );
  return (
    <div className="mt-3 flex flex-col gap-2 border-t border-line pt-3">
      <p className="text-code text-text-2">The agent keeps a summary of this conversation. You still see everything.</p>
      <TextArea value={keep} onChange={(event) => setKeep(event.target.value)} placeholder="What to keep, if anything in particular" aria-label="What to keep" rows={2} className="min-h-14" />
      <div className="flex justify-end gap-2">
        <Button size="sm" kind="quiet" onClick={() => setAsking(false)}>
          Cancel
        </Button>
        <Button size="sm" kind="ink" onClick={() => void run()}>
          Compact
        </Button>
      </div>
    </div>
  );
}
