import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { hub, applyAdded, applyList, applyMetaEvent, applySnapshot, applyStatus } from "@/data/hub";
import { decodeDecision, decodeMeta, decodeSession, EMPTY_META, metaPatch } from "./decode";

/** The examples the Rust crates hold every event against; the browser must accept each of them. */
const golden = join(import.meta.dirname, "../../../crates/protocol/tests/golden/");

interface Example {
  payload: Record<string, unknown>;
}
function examples(path: string): Record<string, unknown>[] {
  const parsed = JSON.parse(readFileSync(`${golden}${path}.json`, "utf8")) as Example[];
  return parsed.map((example) => example.payload);
}

beforeEach(() => hub.setState({ phase: "loading", sessions: new Map(), decisions: new Map(), ended: new Map(), starting: new Map() }));

describe("what the relay sends to the hub", () => {
  it.each(examples("hub/from_server/meta_event"))("is understood: meta event %#", (event) => {
    const pending = { ...EMPTY_META, pendingQuestion: null };
    expect(metaPatch(event, pending)).toBeDefined();
  });

  it.each(examples("hub/from_server/state_snapshot"))("is understood: snapshot %#", (payload) => {
    const state = payload["state"];
    const decoded = decodeMeta(state);
    expect(decoded).toBeDefined();
    // Nothing that was pending may get lost on the way.
    for (const key of ["pendingQuestion", "pendingPlan", "pendingApproval", "pendingPluginTrust", "tokenUsage", "goal", "model", "retryState"] as const) {
      const sent = (state as Record<string, unknown>)[key];
      expect([key, decoded?.[key] === null]).toEqual([key, sent === null || sent === undefined]);
    }
  });

  it("is understood: sessions, one by one and as a list", () => {
    for (const payload of examples("hub/from_server/session_added")) expect(decodeSession(payload)).toMatchObject({ sessionId: payload["sessionId"] });
    for (const payload of examples("hub/from_server/sessions")) {
      const sessions = payload["sessions"] as unknown[];
      applyList(sessions);
      expect(hub.getState().sessions.size).toBe(sessions.length);
    }
  });

  it("is understood: decisions", () => {
    for (const payload of examples("hub/from_server/decision_added")) expect(decodeDecision(payload)).toMatchObject({ decisionId: payload["decisionId"], kind: payload["kind"] });
    for (const payload of examples("hub/from_server/decisions")) for (const entry of payload["decisions"] as unknown[]) expect(decodeDecision(entry)).toBeDefined();
  });

  it("can be applied in any order without an error", () => {
    for (const payload of examples("hub/from_server/session_added")) applyAdded(payload);
    for (const payload of examples("hub/from_server/session_status")) applyStatus(payload as never);
    for (const payload of examples("hub/from_server/meta_event")) applyMetaEvent(payload as never);
    for (const payload of examples("hub/from_server/state_snapshot")) applySnapshot(String(payload["sessionId"]), payload["state"]);
    expect(hub.getState().sessions.size).toBeGreaterThan(0);
  });
});

it("the examples cover every namespace the browser uses", () => {
  for (const name of ["hub", "runners", "viewer", "terminal"]) expect(readdirSync(`${golden}${name}/from_server`).length).toBeGreaterThan(3);
});
