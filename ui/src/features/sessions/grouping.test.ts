import { describe, expect, it } from "vitest";
import type { SessionRow } from "@/data/hub";
import { EMPTY_META } from "@/protocol/decode";
import { groupSessions, type ListInput } from "./grouping";
import { inPlace } from "./useList";

const NOW = 1_000_000_000;

function row(id: string, more: Partial<SessionRow> & { cwd?: string; parent?: string; active?: boolean } = {}): SessionRow {
  const { cwd = "/home/ana/app", parent, active = false, ...rest } = more;
  return {
    id,
    info: { sessionId: id, shareUrl: "", cwd, startedAt: "2026-01-01T00:00:00Z", sessionName: id, isEphemeral: false, isActive: active, lastHeartbeatAt: null, model: null, runnerId: "r1", runnerName: "laptop", parentSessionId: parent ?? null },
    meta: EMPTY_META,
    live: true,
    pinned: false,
    heardAt: NOW,
    touchedAt: 0,
    hint: undefined,
    failed: undefined,
    ...rest,
  };
}

function list(rows: SessionRow[], more: Partial<ListInput> = {}) {
  return groupSessions({ rows, decisions: [], unread: new Set(), grouping: "project", query: "", filter: "all", unfolded: new Set(), now: NOW, doubt: false, ...more });
}
const shape = (groups: ReturnType<typeof list>) => groups.map((group) => [group.title, group.entries.map((entry) => entry.id)]);

describe("the session list", () => {
  it("puts what needs the person first, once, and projects after by last use", () => {
    const groups = list([row("a", { touchedAt: 5 }), row("b", { cwd: "/home/ana/site", touchedAt: 9 }), row("c", { touchedAt: 7 })], {
      decisions: [{ id: "q", sessionId: "a", kind: "question", title: "?", createdAt: 1 }],
    });
    expect(shape(groups)).toEqual([
      ["Needs you", ["a"]],
      ["site", ["b"]],
      ["app", ["c"]],
    ]);
    expect(groups[0]?.entries[0]?.reason).toBe("Question");
  });

  it("does not claim that something runs when the list is old", () => {
    const groups = list([row("a", { active: true }), row("b", { live: false, pinned: true })], { doubt: true });
    expect(groups.flatMap((group) => group.entries.map((entry) => [entry.id, entry.status]))).toEqual([
      ["b", "ended"],
      ["a", "lost"],
    ]);
  });

  it("counts worktrees to their repository", () => {
    expect(shape(list([row("a", { cwd: "/p/app" }), row("b", { cwd: "/p/app/.worktrees/x" }), row("c", { cwd: "/p/app/.claude/worktrees/y" })]))).toEqual([["app", ["a", "b", "c"]]]);
  });

  it("folds children under their parent, which shows the strongest state of them", () => {
    const rows = [row("parent"), row("child", { parent: "parent", active: true })];
    const [folded] = list(rows);
    expect(folded?.entries.map((entry) => [entry.id, entry.status, entry.children])).toEqual([["parent", "running", 1]]);
    const [open] = list(rows, { unfolded: new Set(["parent"]) });
    expect(open?.entries.map((entry) => [entry.id, entry.status, entry.depth])).toEqual([
      ["parent", "idle", 0],
      ["child", "running", 1],
    ]);
  });

  it("makes a root of a child whose parent is gone, and survives parents that name each other", () => {
    expect(shape(list([row("orphan", { parent: "gone" })]))).toEqual([["app", ["orphan"]]]);
    const loop = shape(list([row("x", { parent: "y" }), row("y", { parent: "x" })]));
    expect(loop.flatMap(([, ids]) => ids).sort()).toEqual(["x", "y"]);
  });

  it("searches names and folders and shows children that match by themselves", () => {
    const rows = [row("alpha"), row("beta", { parent: "alpha" }), row("gamma", { cwd: "/home/ana/site" })];
    expect(shape(list(rows, { query: "beta" }))).toEqual([["app", ["beta"]]]);
    expect(shape(list(rows, { query: "ana site" }))).toEqual([["site", ["gamma"]]]);
  });

  it("keeps every row where it was while it must hold still, with what it says now", () => {
    const before = list([row("a", { touchedAt: 5 }), row("b", { touchedAt: 3 })]);
    const after = list([row("a", { touchedAt: 5 }), row("b", { touchedAt: 9, active: true }), row("new", { touchedAt: 10 })]);
    expect(shape(after)).toEqual([["app", ["new", "b", "a"]]]);
    const held = inPlace(before, after);
    expect(shape(held)).toEqual([["app", ["a", "b"]]]);
    expect(held[0]?.entries[1]?.status).toBe("running");
  });
});
