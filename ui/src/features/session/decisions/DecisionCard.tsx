import { ChevronDown, CircleHelp, KeyRound, Map as MapIcon, Puzzle, ShieldQuestion, Webhook, type LucideIcon } from "lucide-react";
import { useState, type ReactNode } from "react";
import { REASON, type DecisionKind, type OpenDecision } from "@/data/attention";
import { useDecisions } from "@/data/hub";
import { Icon, RelativeTime, cx } from "@/ui";
import "../session.css";
import { ApprovalBody, LoginBody, PlanBody, TrustBody } from "./OtherBodies";
import { QuestionBody } from "./QuestionBody";
import { useAnswer, type Answering } from "./useAnswer";

const ICONS: Record<DecisionKind, LucideIcon> = { question: CircleHelp, plan: MapIcon, approval: ShieldQuestion, trust: Puzzle, login: KeyRound, trigger: Webhook };

/** Something the agent waits for, with the means to answer. The same card above the composer and in the inbox. */
export function DecisionCard({ decision, sessionId, variant, more = 0 }: { decision: OpenDecision; sessionId: string; variant: "dock" | "inbox"; more?: number }) {
  const answering = useAnswer(decision);
  const [folded, setFolded] = useState(false);
  const still = useDecisions(sessionId).some((entry) => entry.id === decision.id);
  if (!still) return null;
  return (
    <section className="decision" data-variant={variant} aria-label={`${REASON[decision.kind]}: ${decision.title}`}>
      <button type="button" className="decision-head" aria-expanded={!folded} onClick={() => setFolded(!folded)}>
        <Icon icon={ICONS[decision.kind]} />
        <span className="font-medium">{REASON[decision.kind]}</span>
        {folded && <span className="min-w-0 truncate text-text-2">{decision.title}</span>}
        <span className="flex-1" />
        {more > 0 && <span className="text-meta">and {more} more</span>}
        {decision.createdAt > 0 && <RelativeTime at={decision.createdAt} className="text-meta tnum" />}
        <Icon icon={ChevronDown} size={14} className={cx("transition-transform", folded && "rotate-180")} />
      </button>
      {!folded && (
        <div className="decision-body">
          <Body decision={decision} answering={answering} />
          <Outcome answering={answering} />
        </div>
      )}
    </section>
  );
}

function Body({ decision, answering }: { decision: OpenDecision; answering: Answering }): ReactNode {
  switch (decision.kind) {
    case "question":
      return <QuestionBody key={decision.id} decision={decision} answering={answering} />;
    case "plan":
      return <PlanBody key={decision.id} decision={decision} answering={answering} />;
    case "approval":
      return <ApprovalBody key={decision.id} decision={decision} answering={answering} />;
    case "trust":
      return <TrustBody key={decision.id} decision={decision} answering={answering} />;
    case "login":
      return <LoginBody key={decision.id} decision={decision} />;
    case "trigger":
      return <p className="text-ui text-text">{decision.title}</p>;
  }
}

function Outcome({ answering: { phase } }: { answering: Answering }): ReactNode {
  switch (phase.kind) {
    case "failed":
      return (
        <p role="alert" className="mt-2 text-code text-fail">
          Not sent. {phase.reason}
        </p>
      );
    case "unconfirmed":
      return (
        <p role="status" className="mt-2 text-code text-wait">
          Not confirmed yet. You can send it again.
        </p>
      );
    case "open":
    case "sending":
    case "sent":
      return null;
  }
}
