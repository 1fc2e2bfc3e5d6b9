import { describe as group, expect, it } from "vitest";
import type { ToolItem } from "@/transcript/model";
import { editDiff } from "./changes";
import { answersOf, describe, editCounts, questionsOf, relative, summarise } from "./describe";

function tool(name: string, args: Record<string, unknown>, more: Partial<ToolItem> = {}): ToolItem {
  return { id: `t:${name}`, kind: "tool", at: null, toolCallId: name, name, args, state: "done", content: [], details: null, since: null, durationMs: null, ...more };
}
const out = (text: string): Partial<ToolItem> => ({ content: [{ kind: "text", text }] });

group("the line of a tool", () => {
  it("says what it did, with paths as seen from the session's folder", () => {
    const line = describe(tool("read", { path: "/w/src/a.ts", offset: 10, limit: 5 }), "/w");
    expect(`${line.verb} ${line.object}`).toBe("Read src/a.ts:10–14");
  });

  it("speaks of the present while it runs", () => {
    expect(describe(tool("bash", { command: "ls\nmore", title: "List" }, { state: "running" }), null)).toMatchObject({ verb: "Running", object: "List", mono: false });
    expect(describe(tool("bash", { command: "ls\nmore" }), null)).toMatchObject({ verb: "Ran", object: "ls", mono: true });
  });

  it("counts matches without notices and context lines", () => {
    const item = tool("grep", { pattern: "x" }, out("a.ts:1: x\na.ts-2- y\nb.ts:9: x\n[100 matches limit reached]"));
    expect(describe(item, null).result).toBe("2 matches");
    expect(describe(tool("grep", { pattern: "x" }, out("No matches found")), null).result).toBe("nothing found");
  });

  it("does not take a tool of a server for one of ours", () => {
    expect(describe(tool("mcp__files__read", { path: "/x" }), null)).toMatchObject({ verb: "Called", object: "files · read", result: "/x" });
  });

  it("prefers the agent's patch to the arguments of an edit", () => {
    const edits = { path: "/w/a", edits: [{ oldText: "a\n", newText: "b\nc\n" }] };
    expect(editDiff(tool("edit", edits))).toMatchObject({ added: 2, removed: 1 });
    const patched = tool("edit", edits, { details: { patch: "--- a/a\n+++ b/a\n@@ -7,1 +7,1 @@\n-a\n+z\n" } });
    expect([editCounts(tool("edit", edits)), editCounts(patched)]).toEqual([
      { added: 2, removed: 1 },
      { added: 1, removed: 1 },
    ]);
    expect(editDiff(patched)?.hunks[0]?.lines[0]?.oldNumber).toBe(7);
  });

  it("shortens nothing of a path outside of the folder", () => {
    expect(relative("/work", "/w")).toBe("/work");
    expect(relative("/w", "/w")).toBe(".");
  });
});

group("a question", () => {
  it("is read in the old and the new form", () => {
    expect(questionsOf({ question: "a?", options: ["x"] })).toEqual([{ question: "a?", options: ["x"] }]);
    expect(questionsOf({ questions: [{ question: "b?", options: [] }] })).toHaveLength(1);
  });

  it("knows answers from words that are none", () => {
    expect(answersOf(tool("AskUserQuestion", {}, out("User answered: Both")))).toEqual(["Both"]);
    expect(answersOf(tool("AskUserQuestion", {}, out('Answer received: {"Q1: a": "x", "Q2: b": "y"}')))).toEqual(["x", "y"]);
    expect(answersOf(tool("AskUserQuestion", {}, out("User did not provide an answer")))).toBeNull();
  });
});

group("a folded group", () => {
  it("counts by kind and shows what failed", () => {
    const items = [tool("bash", {}), tool("bash", {}, { state: "failed" }), tool("read", { path: "a" }), tool("read", { path: "a" }), tool("grep", {}), tool("update_todo", {})];
    expect(summarise(items)).toEqual({ words: "Ran 2 commands, read 1 file, searched once, updated the task list", failed: 1, stopped: 0 });
  });
});
