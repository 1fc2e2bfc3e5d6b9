import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OpenDecision } from "@/data/attention";
import { answerDecision } from "@/data/answers";
import { DecisionCard } from "./DecisionCard";

const state = vi.hoisted(() => ({ open: [] as unknown[] }));
vi.mock("@/data/answers", () => ({ answerDecision: vi.fn(() => Promise.resolve()), runExec: vi.fn() }));
vi.mock("@/data/hub", () => ({ useDecisions: () => state.open, useSession: () => undefined, useOutcome: () => undefined }));

const answered = vi.mocked(answerDecision);

function show(decision: OpenDecision) {
  state.open = [decision];
  return render(<DecisionCard decision={decision} sessionId="s" variant="dock" />);
}

const base = { sessionId: "s", title: "t", createdAt: 0 };

beforeEach(() => answered.mockClear());
afterEach(cleanup);

describe("a question", () => {
  const decision: OpenDecision = { ...base, id: "q", kind: "question", question: { toolCallId: "q", questions: [{ question: "Which?", options: ["A", "B"], type: "radio" }] } };

  it("is answered by the chosen option, and its controls wait for the agent", async () => {
    show(decision);
    fireEvent.click(screen.getByRole("radio", { name: /A/ }));
    await act(async () => fireEvent.click(screen.getByRole("button", { name: "Answer" })));
    expect(answered).toHaveBeenCalledWith(decision, { kind: "question", answers: [{ question: "Which?", answer: "A" }] });
    expect(screen.getByRole("radio", { name: /B/ })).toHaveProperty("disabled", true);
  });

  it("takes words of one's own, and digits while nobody types", () => {
    show({ ...decision, id: "q2" });
    Object.defineProperty(HTMLElement.prototype, "offsetParent", { configurable: true, get: () => document.body });
    fireEvent.keyDown(document.body, { key: "2" });
    expect(screen.getByRole("radio", { name: /B/ }).getAttribute("aria-checked")).toBe("true");
    fireEvent.change(screen.getByRole("textbox"), { target: { value: "neither" } });
    expect(screen.getByRole("radio", { name: /B/ }).getAttribute("aria-checked")).toBe("false");
    fireEvent.click(screen.getByRole("button", { name: "Answer" }));
    expect(answered.mock.calls[0]?.[1]).toEqual({ kind: "question", answers: [{ question: "Which?", answer: "neither" }] });
  });

  it("keeps the answer when sending failed, and says why", async () => {
    answered.mockRejectedValueOnce(new Error("The session did not take the answer."));
    show({ ...decision, id: "q3" });
    fireEvent.click(screen.getByRole("radio", { name: /A/ }));
    await act(async () => fireEvent.click(screen.getByRole("button", { name: "Answer" })));
    expect(screen.getByRole("alert").textContent).toContain("did not take");
    expect(screen.getByRole("radio", { name: /A/ }).getAttribute("aria-checked")).toBe("true");
  });

  it("is gone as soon as it is no longer open", () => {
    const { rerender, container } = show({ ...decision, id: "q4" });
    state.open = [];
    rerender(<DecisionCard decision={{ ...decision, id: "q4" }} sessionId="s" variant="dock" />);
    expect(container.textContent).toBe("");
  });

  it("asks several things one after the other", async () => {
    show({ ...base, id: "q5", kind: "question", question: { toolCallId: "q5", questions: [{ question: "One?", options: ["A"], type: "radio" }, { question: "Two?", options: ["X", "Y"], type: "checkbox" }, { question: "Order?", options: ["m", "n"], type: "ranked" }] } });
    fireEvent.click(screen.getByRole("radio", { name: /A/ }));
    fireEvent.click(screen.getByRole("button", { name: "Next" }));
    fireEvent.click(screen.getByRole("checkbox", { name: /Y/ }));
    fireEvent.click(screen.getByRole("checkbox", { name: /X/ }));
    fireEvent.click(screen.getByRole("button", { name: "Next" }));
    fireEvent.click(screen.getByRole("button", { name: "Move “n” up" }));
    await act(async () => fireEvent.click(screen.getByRole("button", { name: "Send answers" })));
    expect(answered.mock.calls[0]?.[1]).toEqual({
      kind: "question",
      answers: [
        { question: "One?", answer: "A" },
        { question: "Two?", answer: "X, Y" },
        { question: "Order?", answer: "1. n\n2. m" },
      ],
    });
  });
});

describe("an approval", () => {
  const decision: OpenDecision = {
    ...base,
    id: "a",
    kind: "approval",
    approval: { promptId: "a", title: "Run this command?", fields: [{ key: "command", label: "Command", value: "rm -rf /tmp/x && echo   done", editable: false }], actions: [{ id: "allow", label: "Allow once", style: "primary" }, { id: "deny", label: "Deny" }] },
  };

  it("shows the exact command and puts the refusal first", () => {
    show(decision);
    expect(screen.getByText("rm -rf /tmp/x && echo done", { normalizer: (text) => text.replace(/\s+/g, " ") }).textContent).toBe("rm -rf /tmp/x && echo   done");
    const buttons = screen.getAllByRole("button").map((button) => button.textContent);
    expect(buttons.indexOf("Deny")).toBeLessThan(buttons.indexOf("Allow once"));
    expect(document.activeElement?.textContent).not.toBe("Allow once");
  });

  it("counts a refusal as one, whatever it is called", () => {
    show({ ...decision, id: "a2" });
    fireEvent.click(screen.getByRole("button", { name: "Deny" }));
    expect(answered.mock.calls[0]?.[1]).toEqual({ kind: "approval", action: "deny", approved: false, edits: {} });
  });
});

describe("a plan", () => {
  const decision: OpenDecision = { ...base, id: "p", kind: "plan", plan: { toolCallId: "p", title: "Move", steps: [{ title: "one" }] } };

  it("can be changed before it starts", async () => {
    show(decision);
    fireEvent.click(screen.getByRole("button", { name: "Suggest change" }));
    fireEvent.change(screen.getByRole("textbox"), { target: { value: "smaller" } });
    await act(async () => fireEvent.click(screen.getByRole("button", { name: "Suggest change" })));
    expect(answered.mock.calls[0]?.[1]).toEqual({ kind: "plan", action: "edit", editSuggestion: "smaller" });
  });
});
