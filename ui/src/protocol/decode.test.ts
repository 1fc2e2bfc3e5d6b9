import { describe, expect, it } from "vitest";
import { decodeMeta, EMPTY_META, metaPatch } from "./decode";
import { checkPassword } from "./password";

describe("the meta state", () => {
  it("survives bad members one by one, but not without a version", () => {
    expect(decodeMeta({ ...EMPTY_META, version: "1" })).toBeUndefined();
    const meta = decodeMeta({ version: 2, pendingQuestion: { toolCallId: "", questions: [] }, tokenUsage: { input: "1" }, todoList: [{ text: "a", status: "odd" }, 5], model: { provider: " x ", modelId: "y" } });
    expect(meta).toMatchObject({ pendingQuestion: null, tokenUsage: null, todoList: [{ id: 1, text: "a", status: "pending" }], model: { provider: "x", id: "y" } });
  });

  it("reads the older single question", () => {
    expect(decodeMeta({ version: 1, pendingQuestion: { toolCallId: "t", question: "Which?", options: ["a", " "] } })?.pendingQuestion).toEqual({ toolCallId: "t", questions: [{ question: "Which?", options: ["a"], type: "radio" }] });
  });

  it("knows approvals and ignores what it does not know", () => {
    expect(metaPatch({ type: "approval_pending", approval: { promptId: "p", title: "Run it?", actions: [{ id: "x" }, { id: "y", label: "Yes", style: "odd" }] } }, EMPTY_META)).toEqual({
      pendingApproval: { promptId: "p", title: "Run it?", actions: [{ id: "y", label: "Yes" }] },
    });
    expect(metaPatch({ type: "from_the_future" }, EMPTY_META)).toBeUndefined();
  });
});

describe("the password rule", () => {
  it("counts code points and wants one of each kind", () => {
    expect(checkPassword("Abcdefg1").valid).toBe(true);
    expect(checkPassword("Abc1🍕🍕🍕").checks[0]?.met).toBe(false);
    expect(checkPassword("Abc1🍕🍕🍕🍕").valid).toBe(true);
    expect(checkPassword(`Aa1${"x".repeat(126)}`).checks[4]?.met).toBe(false);
  });
});
