import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { REASON, type OpenDecision } from "@/data/attention";
import { useAuth } from "@/data/auth";
import { useDecisions, useOutcome } from "@/data/hub";
import { announce } from "@/ui";
import { useHydration, useOpenSession } from "../context";

const DecisionCard = lazy(() => import("./DecisionCard").then((part) => ({ default: part.DecisionCard })));

/** How long "answered elsewhere" stays, ms. */
const FAREWELL_MS = 6_000;

/** Open decisions above the composer, the oldest on top; one that is gone says so for a moment. */
export function DecisionStack() {
  const { sessionId, model } = useOpenSession();
  const decisions = useDecisions(sessionId);
  const replay = useHydration(model).phase === "replay";
  const [gone, setGone] = useState<OpenDecision | null>(null);
  const before = useRef<readonly OpenDecision[]>(decisions);
  useEffect(() => {
    const fresh = decisions.find((decision) => !before.current.some((known) => known.id === decision.id));
    if (fresh) announce(`${REASON[fresh.kind]}: ${fresh.title}`);
    const ended = before.current.find((known) => !decisions.some((decision) => decision.id === known.id));
    before.current = decisions;
    if (!ended) return undefined;
    setGone(ended);
    const timer = setTimeout(() => setGone(null), FAREWELL_MS);
    return () => clearTimeout(timer);
  }, [decisions]);
  if (replay) return null;
  const first = decisions[0];
  if (!first && !gone) return null;
  return (
    <div className="column">
      {first ? (
        <Suspense fallback={<div className="strip text-text-3">{REASON[first.kind]}</div>}>
          <DecisionCard key={first.id} decision={first} sessionId={sessionId} variant="dock" more={decisions.length - 1} />
        </Suspense>
      ) : (
        gone && <Farewell decision={gone} />
      )}
    </div>
  );
}

/** What became of it, in one line without buttons. */
function Farewell({ decision }: { decision: OpenDecision }) {
  const outcome = useOutcome(decision.id);
  const me = useAuth().person?.id;
  const words = ((): string => {
    switch (outcome?.outcome) {
      case "answered":
        return outcome.by === me ? "answered" : `answered by ${outcome.byName ?? outcome.device ?? "somebody else"}`;
      case "expired":
        return "expired";
      case "superseded":
        return "replaced by a newer one";
      case "withdrawn":
        return "no longer needed";
      case undefined:
        return "answered";
    }
  })();
  return (
    <p role="status" className="strip text-text-3">
      <span className="truncate">
        {REASON[decision.kind]} {words}: {decision.title}
      </span>
    </p>
  );
}
