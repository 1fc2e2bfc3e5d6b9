import { beforeEach, describe, expect, it } from "vitest";
import type { HubMetaEvent, SessionInfo } from "@/protocol/wire";
import { EMPTY_META } from "@/protocol/decode";
import { applyAdded, applyList, applyMetaEvent, applyPinned, applyRemoved, applySnapshot, applyStatus, hub, noteStarting } from "./hub";
import { unread, unreadStore } from "./unread";

const info = (sessionId: string, more: Partial<SessionInfo> = {}): SessionInfo => ({ sessionId, shareUrl: "u", cwd: "/p", startedAt: "2026-01-01T00:00:00Z", sessionName: null, isEphemeral: false, isActive: false, lastHeartbeatAt: null, model: null, runnerId: null, runnerName: null, ...more });
const row = (id: string) => hub.getState().sessions.get(id);
let counter = 0;
let id = "";

beforeEach(() => {
  id = `s${++counter}`;
  hub.setState({ phase: "loading", sessions: new Map(), decisions: new Map(), ended: new Map(), starting: new Map() });
  unreadStore.setState({ ids: new Set() });
  unread.setVisible(undefined);
});

describe("the hub", () => {
  it("drops entries that no row can be made of and replaces the rest", () => {
    applyList([info(id), { sessionId: "broken" }, null]);
    expect([...hub.getState().sessions.keys()]).toEqual([id]);
    applyList([]);
    expect(hub.getState().sessions.size).toBe(0);
  });

  it("keeps a pinned session after it ended", () => {
    applyList([info(id)]);
    applyPinned([{ sessionId: id, cwd: "/p", shareUrl: "", startedAt: "", lastActiveAt: "", endedAt: null, isEphemeral: false, expiresAt: null, isPinned: true, runnerId: null, runnerName: null, sessionName: null }]);
    applyRemoved(id);
    expect(row(id)).toMatchObject({ live: false, pinned: true });
  });

  it("treats absent members of a status as unchanged and null as none", () => {
    applyList([info(id, { sessionName: "one", model: { provider: "a", id: "b" } })]);
    applyStatus({ sessionId: id, isActive: true, lastHeartbeatAt: null, sessionName: null });
    expect(row(id)?.info).toMatchObject({ isActive: true, sessionName: null, model: { provider: "a", id: "b" } });
  });

  it("marks a finished session unread only when it is not on screen", () => {
    applyList([info(id, { isActive: true })]);
    applyStatus({ sessionId: id, isActive: false, lastHeartbeatAt: null, sessionName: null });
    expect(unreadStore.getState().ids.has(id)).toBe(true);
    unread.markRead(id);
    unread.setVisible(id);
    applyStatus({ sessionId: id, isActive: true, lastHeartbeatAt: null, sessionName: null });
    applyStatus({ sessionId: id, isActive: false, lastHeartbeatAt: null, sessionName: null });
    expect(unreadStore.getState().ids.has(id)).toBe(false);
  });

  it("marks nothing unread on the first list", () => {
    applyList([info(id, { isActive: false })]);
    applySnapshot(id, { ...EMPTY_META, version: 4, pendingQuestion: { toolCallId: "q", questions: [{ question: "?", options: [] }] } });
    expect(unreadStore.getState().ids.size).toBe(0);
  });

  it("applies meta events in order and ignores older ones", () => {
    applyList([info(id)]);
    applySnapshot(id, { ...EMPTY_META, version: 5 });
    applyMetaEvent({ sessionId: id, version: 6, type: "plan_mode_toggled", enabled: true } satisfies HubMetaEvent);
    applyMetaEvent({ sessionId: id, version: 6, type: "plan_mode_toggled", enabled: false } satisfies HubMetaEvent);
    expect(row(id)?.meta).toMatchObject({ version: 6, planModeEnabled: true });
    applySnapshot(id, { ...EMPTY_META, version: 4 });
    expect(row(id)?.meta?.version).toBe(6);
  });

  it("does not clear a newer question by a late answer to an older one", () => {
    applyList([info(id)]);
    const ask = (toolCallId: string) => ({ sessionId: id, type: "question_pending" as const, question: { toolCallId, questions: [{ question: "?", options: [] }] } });
    applySnapshot(id, { ...EMPTY_META, version: 1 });
    applyMetaEvent({ ...ask("second"), version: 2 });
    applyMetaEvent({ sessionId: id, version: 3, type: "question_cleared", toolCallId: "first" });
    expect(row(id)?.meta?.pendingQuestion?.toolCallId).toBe("second");
    applyMetaEvent({ sessionId: id, version: 4, type: "question_cleared", toolCallId: "second" });
    expect(row(id)?.meta?.pendingQuestion).toBeNull();
  });

  it("lets a starting session become a live one", () => {
    noteStarting({ sessionId: id, runnerId: "r", runnerName: null, cwd: "/p", prompt: "hi", since: 0 });
    applyAdded(info(id));
    expect(hub.getState().starting.size).toBe(0);
    expect(row(id)?.live).toBe(true);
  });

  it("redraws nothing for a heartbeat that changes nothing", () => {
    applyList([info(id, { isActive: true, sessionName: "x" })]);
    const before = hub.getState();
    applyStatus({ sessionId: id, isActive: true, lastHeartbeatAt: new Date().toISOString(), sessionName: "x", revision: 7 });
    expect(hub.getState()).toBe(before);
    expect(row(id)?.info.lastHeartbeatAt).not.toBeNull();
  });

  it("never reorders for heartbeats", () => {
    applyList([info(id)]);
    const before = row(id)?.touchedAt;
    applyStatus({ sessionId: id, isActive: true, lastHeartbeatAt: new Date().toISOString(), sessionName: "x" });
    expect(row(id)?.touchedAt).toBe(before);
  });
});
