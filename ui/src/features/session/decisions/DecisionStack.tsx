import { useEffect, useRef, useState } from "react";
import { REASON, type OpenDecision } from "@/data/attention";
import { useDecisions } from "@/data/hub";
import { announce } from "@/ui";
import { useHydration, useOpenSession } from "../context";
import { DecisionCard } from "./DecisionCard";

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
        <DecisionCard key={first.id} decision={first} sessionId={sessionId} variant="dock" more={decisions.length - 1} />
      ) : (
        gone && (
          <p role="status" className="strip text-text-3">
            {REASON[gone.kind]} answered: {gone.title}
          </p>
        )
      )}
    </div>
  );
}
