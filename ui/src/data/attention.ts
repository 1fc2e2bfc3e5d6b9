import type { Decision, DecisionKind as RecordKind, SessionMetaState, SessionPresence } from "@/protocol/wire";

/** What the mark of a session shows; the first that applies wins, in this order. */
export type SessionStatus = "needs" | "failed" | "retrying" | "compacting" | "starting" | "running" | "unread" | "idle" | "lost" | "ended";

export type DecisionKind = "question" | "plan" | "approval" | "trust" | "login" | "trigger";

/** Something that waits for the person, in one shape for the session, the inbox and notifications. */
export interface OpenDecision {
  /** `toolCallId` or `promptId`: an answer is bound to it and can never hit a later decision. */
  id: string;
  sessionId: string;
  kind: DecisionKind;
  title: string;
  /** Unix ms; 0 when the relay did not say. */
  createdAt: number;
  question?: NonNullable<SessionMetaState["pendingQuestion"]>;
  plan?: NonNullable<SessionMetaState["pendingPlan"]>;
  approval?: NonNullable<SessionMetaState["pendingApproval"]>;
  trust?: NonNullable<SessionMetaState["pendingPluginTrust"]>;
  /** The durable record behind it, when the relay keeps one. */
  record?: Decision;
}

/** The word shown at the end of a row. */
export const REASON: Record<DecisionKind, string> = {
  question: "Question",
  plan: "Plan",
  approval: "Approve",
  trust: "Trust",
  login: "Sign in",
  trigger: "Reply",
};

const RECORD_KINDS: Record<RecordKind, DecisionKind> = {
  question: "question",
  plan: "plan",
  approval: "approval",
  plugin_trust: "trust",
  mcp_login: "login",
};

/**
 * All open decisions of one session, oldest first. The meta state says what they ask; the relay's durable records add age
 * and the kinds that the meta state has no member for.
 */
export function decisionsOf(sessionId: string, meta: SessionMetaState | undefined, records: readonly Decision[] = []): OpenDecision[] {
  const open: OpenDecision[] = [];
  const known = new Map(records.map((record) => [record.decisionId, record]));
  const add = (decision: Omit<OpenDecision, "sessionId" | "createdAt">) => {
    const record = known.get(decision.id);
    open.push({ ...decision, sessionId, createdAt: record?.createdAt ?? 0, ...(record ? { record } : {}) });
  };
  if (meta?.pendingQuestion) add({ id: meta.pendingQuestion.toolCallId, kind: "question", title: meta.pendingQuestion.questions[0]?.question ?? "Question", question: meta.pendingQuestion });
  if (meta?.pendingPlan) add({ id: meta.pendingPlan.toolCallId, kind: "plan", title: meta.pendingPlan.title, plan: meta.pendingPlan });
  if (meta?.pendingApproval) add({ id: meta.pendingApproval.promptId, kind: "approval", title: meta.pendingApproval.title, approval: meta.pendingApproval });
  if (meta?.pendingPluginTrust) add({ id: meta.pendingPluginTrust.promptId, kind: "trust", title: `Load ${meta.pendingPluginTrust.pluginNames.join(", ")}?`, trust: meta.pendingPluginTrust });
  for (const record of records) {
    if (!open.some((decision) => decision.id === record.decisionId)) open.push(fromRecord(record));
  }
  return open.sort((a, b) => a.createdAt - b.createdAt);
}

/** A decision that only the relay's record tells of: a login, or the meta state is not here yet. */
function fromRecord(record: Decision): OpenDecision {
  const { detail } = record;
  const base: OpenDecision = { id: record.decisionId, sessionId: record.sessionId, kind: RECORD_KINDS[record.kind], title: record.title, createdAt: record.createdAt, record };
  switch (record.kind) {
    case "question":
      return { ...base, question: { toolCallId: record.decisionId, questions: detail.questions ?? [{ question: record.title, options: record.options.map((option) => option.label) }] } };
    case "plan":
      return { ...base, plan: { toolCallId: record.decisionId, title: record.title, description: detail.text, ...(detail.steps ? { steps: detail.steps } : {}) } };
    case "approval":
      return {
        ...base,
        approval: {
          promptId: record.decisionId,
          title: record.title,
          message: detail.text,
          ...(detail.toolName === undefined ? {} : { toolName: detail.toolName }),
          ...(detail.fields ? { fields: detail.fields } : {}),
          ...(record.options.length > 0 ? { actions: record.options.map(({ id, label, style }) => ({ id, label, ...(style ? { style } : {}) })) } : {}),
        },
      };
    case "plugin_trust":
      return { ...base, trust: { promptId: record.decisionId, pluginNames: detail.subjects ?? [record.title], pluginSummaries: detail.subjects ?? [record.title] } };
    case "mcp_login":
      return base;
  }
}

/**
 * Without a sign of life for this long a live session has lost contact, ms. The list hears of unchanged sessions once a
 * minute, so anything shorter would call healthy ones lost; the open session knows earlier from its own feed.
 */
export const LOST_AFTER_MS = 95_000;

export interface StatusInput {
  live: boolean;
  /** What the relay says about the session's process; absent from older relays. */
  presence: SessionPresence | undefined;
  isActive: boolean;
  /** When this page last heard anything about the session, Unix ms of the relay's clock. */
  heardAt: number;
  meta: SessionMetaState | undefined;
  decisions: number;
  failed: boolean;
  unread: boolean;
  starting: boolean;
  now: number;
}

export function statusOf(input: StatusInput): SessionStatus {
  if (!input.live) return input.starting ? "starting" : "ended";
  if (input.presence === "starting") return "starting";
  if (input.decisions > 0) return "needs";
  if (input.failed) return "failed";
  if (input.meta?.retryState) return "retrying";
  if (input.meta?.isCompacting) return "compacting";
  const lost = input.presence === "reconnecting" || input.presence === "offline" || (input.presence === undefined && input.now - input.heardAt > LOST_AFTER_MS);
  if (input.isActive && !lost) return "running";
  if (lost) return "lost";
  if (input.unread) return "unread";
  return "idle";
}

const STRENGTH: readonly SessionStatus[] = ["needs", "failed", "retrying", "compacting", "starting", "running", "unread", "idle", "lost", "ended"];

/** The state a folded parent shows for itself and its children. */
export function strongest(states: readonly SessionStatus[]): SessionStatus {
  return STRENGTH.find((state) => states.includes(state)) ?? "idle";
}
