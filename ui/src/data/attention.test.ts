import { describe, expect, it } from "vitest";
import { EMPTY_META } from "@/protocol/decode";
import type { Decision } from "@/protocol/wire";
import { decisionsOf, statusOf, strongest, type StatusInput } from "./attention";

const calm: StatusInput = { live: true, presence: "online", isActive: false, heardAt: 0, meta: EMPTY_META, decisions: 0, failed: false, unread: false, starting: false, now: 0 };

describe("the state of a session", () => {
  it("is the first that applies", () => {
    expect(statusOf(calm)).toBe("idle");
    expect(statusOf({ ...calm, unread: true })).toBe("unread");
    expect(statusOf({ ...calm, unread: true, isActive: true })).toBe("running");
    expect(statusOf({ ...calm, isActive: true, meta: { ...EMPTY_META, isCompacting: true } })).toBe("compacting");
    expect(statusOf({ ...calm, isActive: true, failed: true })).toBe("failed");
    expect(statusOf({ ...calm, failed: true, decisions: 1 })).toBe("needs");
    expect(statusOf({ ...calm, live: false, decisions: 1 })).toBe("ended");
  });

  it("does not call a session running that nobody hears", () => {
    expect(statusOf({ ...calm, isActive: true, presence: "reconnecting" })).toBe("lost");
    expect(statusOf({ ...calm, isActive: true, presence: undefined, now: 200_000 })).toBe("lost");
  });

  it("shows the strongest of several", () => {
    expect(strongest(["idle", "running", "unread"])).toBe("running");
    expect(strongest([])).toBe("idle");
  });
});

describe("open decisions", () => {
  const record = (id: string, kind: Decision["kind"], createdAt: number): Decision => ({ decisionId: id, sessionId: "s", epoch: 1, kind, title: `title of ${id}`, detail: { text: "" }, options: [], default: null, createdAt });

  it("come from the meta state, aged by the relay's record", () => {
    const meta = { ...EMPTY_META, pendingQuestion: { toolCallId: "q", questions: [{ question: "Which?", options: [] }] }, pendingPlan: { toolCallId: "p", title: "Plan" } };
    expect(decisionsOf("s", meta, [record("p", "plan", 1), record("q", "question", 5)]).map((decision) => [decision.id, decision.kind, decision.createdAt])).toEqual([
      ["p", "plan", 1],
      ["q", "question", 5],
    ]);
  });

  it("include those only the record tells of", () => {
    expect(decisionsOf("s", EMPTY_META, [record("l", "mcp_login", 2)])).toMatchObject([{ id: "l", kind: "login", title: "title of l" }]);
  });
});
