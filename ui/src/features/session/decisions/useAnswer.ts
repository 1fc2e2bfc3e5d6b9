import { useEffect, useState } from "react";
import { answerDecision, type Answer } from "@/data/answers";
import type { OpenDecision } from "@/data/attention";
import { messageOf } from "@/net/api";

/** The agent clears what it took; longer than this and the person is told that nothing came back. */
const CONFIRM_MS = 15_000;

export type AnswerPhase = { readonly kind: "open" } | { readonly kind: "sending" } | { readonly kind: "sent" } | { readonly kind: "unconfirmed" } | { readonly kind: "failed"; readonly reason: string };

export interface Answering {
  readonly phase: AnswerPhase;
  /** Controls do nothing while an answer is on its way. */
  readonly busy: boolean;
  readonly send: (answer: Answer) => void;
}

/** One answer to one decision. The card goes when the agent says so, not when a button was pressed. */
export function useAnswer(decision: OpenDecision): Answering {
  const [phase, setPhase] = useState<AnswerPhase>({ kind: "open" });
  useEffect(() => {
    if (phase.kind !== "sent") return undefined;
    const timer = setTimeout(() => setPhase({ kind: "unconfirmed" }), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [phase]);
  const send = (answer: Answer): void => {
    setPhase({ kind: "sending" });
    answerDecision(decision, answer).then(
      () => setPhase({ kind: "sent" }),
      (error: unknown) => setPhase({ kind: "failed", reason: messageOf(error) }),
    );
  };
  return { phase, busy: phase.kind === "sending" || phase.kind === "sent", send };
}
