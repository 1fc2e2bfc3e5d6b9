import { describe, expect, it } from "vitest";
import type { JsonObject } from "./json";
import { ids, messagesAfter, model, random, script, seen, type Step } from "./testing";

function snapshot(steps: readonly Step[]): JsonObject {
  return { type: "session_active", state: { messages: messagesAfter(steps), cwd: "/w", queuedMessages: [] } };
}

/** Durable events up to and including each step. */
function numbers(steps: readonly Step[]): number[] {
  let seq = 0;
  return steps.map((step) => (step.durable ? (seq += 1) : seq));
}

function live(steps: readonly Step[]): ReturnType<typeof model> {
  const session = model();
  session.attach(1, false);
  session.frame({ event: { type: "session_active", state: { messages: [], cwd: "/w" } }, seq: 0, generation: 1 });
  session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "snapshot", complete: true });
  const seqs = numbers(steps);
  steps.forEach((step, index) => session.frame({ event: step.event, generation: 1, ...(step.durable ? { seq: seqs[index] } : {}) }));
  return session;
}

describe("a session seen in pieces", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    it(`shows the same transcript whatever was cut, repeated or lost (seed ${seed})`, () => {
      const rand = random(seed);
      const steps = script(rand, { turns: 3, withIds: seed % 2 === 0 });
      const seqs = numbers(steps);
      const head = seqs.at(-1) ?? 0;
      const durables = steps.filter((step) => step.durable);
      const expected = seen(live(steps));

      const session = model();
      let generation = 0;
      let position = Math.floor(rand() * steps.length);
      const seenIds = new Set<string>();
      const order: string[] = [];
      const asks: string[] = [];
      session.onAsk = (ask) => asks.push(ask.kind);

      const attach = (at: number): void => {
        generation += 1;
        const have = session.attach(generation, rand() < 0.7);
        const upto = seqs[at - 1] ?? 0;
        session.connected({ sessionId: "s", generation, lastSeq: upto });
        if (have && rand() < 0.8) {
          for (let seq = have.seq + 1; seq <= upto; seq += 1) session.frame({ event: durables[seq - 1]?.event, seq, generation, deltaReplay: true, replay: true });
          session.hydrated({ sessionId: "s", generation, epoch: 1, seq: upto, via: "delta", complete: true });
        } else {
          // A stored snapshot from an earlier moment, then the numbered rest.
          const from = have ? have.seq + Math.floor(rand() * (upto - have.seq + 1)) : Math.floor(rand() * (upto + 1));
          const base = steps.slice(0, seqs.findLastIndex((seq) => seq <= from) + 1);
          session.frame({ event: snapshot(base), seq: from, replay: true, generation });
          for (let seq = from + 1; seq <= upto; seq += 1) session.frame({ event: durables[seq - 1]?.event, seq, generation, deltaReplay: true });
          session.hydrated({ sessionId: "s", generation, epoch: 1, seq: upto, via: "snapshot", complete: true });
        }
      };

      attach(position);
      while (position < steps.length) {
        const step = steps[position];
        const seq = seqs[position];
        const dice = rand();
        if (dice < 0.03) {
          // The link breaks, events pass unseen, the viewer comes back.
          position = Math.min(steps.length, position + Math.floor(rand() * 12));
          attach(position);
          continue;
        }
        if (step?.durable) {
          session.frame({ event: step.event, seq, generation });
          if (dice < 0.1) session.frame({ event: step.event, seq, generation });
          if (dice > 0.97) session.frame({ event: step.event, seq, generation: generation - 1 });
        } else if (dice > 0.3) session.frame({ event: step?.event, generation });
        if (rand() < 0.4) {
          for (const id of ids(session)) {
            if (!seenIds.has(id)) {
              seenIds.add(id);
              order.push(id);
            }
          }
        }
        position += 1;
      }
      session.settle();
      expect(seen(session)).toEqual(expected);
      expect(session.position).toEqual({ epoch: 1, seq: head });
      expect(new Set(ids(session)).size).toBe(ids(session).length);
      const final = new Set(ids(session));
      expect(order.filter((id) => !final.has(id))).toEqual([]);
    });
  }

  it("asks once for a hole, holds what came early and fills it in order", () => {
    const steps = script(random(7), { turns: 2, withIds: true }).filter((step) => step.durable);
    const expected = seen(live(steps));
    const session = model();
    const asks: unknown[] = [];
    session.onAsk = (ask) => asks.push(ask);
    session.attach(1, false);
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "empty", complete: true });
    steps.forEach((step, index) => {
      if (index === 4 || index === 5) return;
      session.frame({ event: step.event, seq: index + 1, generation: 1 });
    });
    expect(asks).toEqual([{ kind: "missing", lastSeq: 4 }]);
    expect(session.position?.seq).toBe(4);
    session.frame({ event: steps[4]?.event, seq: 5, generation: 1, deltaReplay: true });
    session.frame({ event: steps[5]?.event, seq: 6, generation: 1, deltaReplay: true });
    expect(seen(session)).toEqual(expected);
    expect(session.position?.seq).toBe(steps.length);
  });

  it("never shows a frame of another session or of an older switch", () => {
    const session = model("s");
    session.attach(2, false);
    const event = { type: "message_end", message: { role: "user", content: "not for here", timestamp: 1 } };
    expect(session.frame({ event, seq: 1, generation: 2, sessionId: "other" })).toBe(false);
    expect(session.frame({ event, seq: 1, generation: 1, sessionId: "s" })).toBe(false);
    session.hydrated({ sessionId: "other", generation: 2, epoch: 1, seq: 0, via: "empty", complete: true });
    expect(session.hydration().phase).toBe("attaching");
    expect(seen(session)).toEqual([]);
  });
});

describe("large snapshots", () => {
  it("are put together by index and let waiting events through afterwards", () => {
    const steps = script(random(3), { turns: 4, withIds: false });
    const half = steps.slice(0, Math.floor(steps.length / 2));
    const messages = messagesAfter(half);
    const session = model();
    session.attach(1, false);
    session.frame({ event: { type: "session_active", state: { chunked: true, snapshotId: "x", totalMessages: messages.length, messages: [], cwd: "/w" } }, generation: 1 });
    const size = 3;
    const total = Math.ceil(messages.length / size);
    const order = Array.from({ length: total }, (_, index) => index);
    order.reverse();
    for (const index of order) {
      const chunk = { type: "session_messages_chunk", snapshotId: "x", chunkIndex: index, totalChunks: total, totalMessages: messages.length, messages: messages.slice(index * size, index * size + size), final: index === total - 1 };
      session.frame({ event: { ...chunk, snapshotId: "other" }, generation: 1 });
      session.frame({ event: chunk, generation: 1 });
      session.frame({ event: chunk, generation: 1 });
      if (index === 2) session.frame({ event: { type: "message_end", message: { role: "user", content: "meanwhile", timestamp: 1_800_000_000_000 } }, generation: 1 });
    }
    const items = seen(session);
    expect(items.at(-1)).toMatchObject({ kind: "user", text: "meanwhile" });
    const plain = model();
    plain.attach(1, false);
    plain.frame({ event: snapshot(half), seq: 1, generation: 1 });
    expect(items.slice(0, -1)).toEqual(seen(plain));
  });
});

describe("snapshots over a screen", () => {
  const user = (at: number, text: string): JsonObject => ({ role: "user", content: text, timestamp: at });
  const answer = (at: number, text: string): JsonObject => ({ role: "assistant", content: [{ type: "text", text }], timestamp: at, stopReason: "stop" });
  const show = (session: ReturnType<typeof model>, messages: readonly JsonObject[], seq: number, state: JsonObject = {}): void => {
    session.frame({ event: { type: "session_active", state: { messages, ...state } }, seq, generation: 1 });
    session.settle();
  };
  const texts = (session: ReturnType<typeof model>): unknown[] => session.allItems().map((item) => ("text" in item ? item.text : item.kind));

  it("keep older messages and put the compaction where it happened", () => {
    const session = model();
    session.attach(1, false);
    show(session, [user(1, "a"), answer(2, "b"), user(3, "c"), answer(4, "d")], 1);
    const before = ids(session);
    show(session, [{ role: "compactionSummary", summary: "short", tokensBefore: 9, timestamp: 5 }, user(3, "c"), answer(4, "d"), user(6, "e")], 2);
    expect(texts(session)).toEqual(["a", "b", "c", "d", "Context compacted", "e"]);
    expect(ids(session).slice(0, 4)).toEqual(before);
    show(session, [{ role: "compactionSummary", summary: "short", tokensBefore: 9, timestamp: 5 }, user(3, "c"), answer(4, "d"), user(6, "e"), answer(7, "f")], 3);
    expect(texts(session)).toEqual(["a", "b", "c", "d", "Context compacted", "e", "f"]);
  });

  it("drop what a rewind took away", () => {
    const session = model();
    session.attach(1, false);
    show(session, [user(1, "a"), answer(2, "b"), user(3, "c"), answer(4, "d")], 1);
    show(session, [user(1, "a"), answer(2, "b")], 2);
    expect(texts(session)).toEqual(["a", "b"]);
  });

  it("say so when another conversation takes the place", () => {
    const session = model();
    session.attach(1, false);
    show(session, [user(1, "a"), answer(2, "b"), user(3, "c"), answer(4, "d")], 1);
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 1, via: "snapshot", complete: true });
    show(session, [user(11, "x"), answer(12, "y")], 2);
    expect(texts(session)).toEqual(["The conversation was replaced", "x", "y"]);
  });

  it("that are cut off keep the older pages already loaded", () => {
    const session = model();
    session.attach(1, false);
    show(session, [user(5, "e"), answer(6, "f")], 1, { hasMore: true, oldestLoadedIndex: 4 });
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 1, via: "snapshot", complete: true });
    expect(session.takePageTurn()).toEqual({ before: 4 });
    expect(session.takePageTurn()).toBeNull();
    session.page({ sessionId: "s", messages: [user(3, "c"), answer(4, "d")], oldestIndex: 2, hasMore: true });
    expect(texts(session)).toEqual(["c", "d", "e", "f"]);
    show(session, [user(5, "e"), answer(6, "f"), user(7, "g")], 2, { hasMore: true, oldestLoadedIndex: 4 });
    expect(texts(session)).toEqual(["c", "d", "e", "f", "g"]);
    expect(session.oldestIndex).toBe(2);
  });

  it("keep local notices at their place", () => {
    const session = model();
    session.attach(1, false);
    show(session, [user(1, "a"), answer(2, "b")], 1);
    session.frame({ event: { type: "cli_error", message: "overloaded", source: "provider", ts: 3 }, seq: 2, generation: 1 });
    show(session, [user(1, "a"), answer(2, "b"), user(4, "c")], 3);
    expect(texts(session)).toEqual(["a", "b", "overloaded", "c"]);
  });

  it("tell two prompts with the same words and time apart", () => {
    const session = model();
    session.attach(1, false);
    show(session, [user(1, "go"), user(1, "go")], 1);
    show(session, [user(1, "go"), user(1, "go"), answer(2, "b")], 2);
    expect(texts(session)).toEqual(["go", "go", "b"]);
    expect(new Set(ids(session)).size).toBe(3);
  });
});

describe("waiting messages", () => {
  it("become the real message in place and are confirmed by id", () => {
    const session = model();
    session.attach(1, false);
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "empty", complete: true });
    const confirmed: string[] = [];
    session.onConfirmed = (id) => confirmed.push(id);
    session.setView({ outbox: ["r1", "r2"] });
    expect(session.rows().map((row) => row.id)).toEqual(["user:r1", "user:r2"]);
    session.frame({ event: { type: "message_end", message: { role: "user", content: "hi", timestamp: 5, commandId: "r1" } }, seq: 1, generation: 1 });
    session.settle();
    expect(session.rows().filter((row) => row.kind !== "top").map((row) => [row.id, row.kind])).toEqual([
      ["user:r1", "item"],
      ["user:r2", "outbox"],
    ]);
    expect(confirmed).toContain("r1");
  });

  it("never go back to an earlier delivery state", () => {
    const session = model();
    session.commandStatus({ commandId: "r", sessionId: "s", state: "consumed", at: 2 });
    session.commandStatus({ commandId: "r", sessionId: "s", state: "accepted", at: 1 });
    expect(session.delivery("r")?.state).toBe("consumed");
  });
});

describe("streaming", () => {
  const start = (): ReturnType<typeof model> => {
    const session = model();
    session.attach(1, false);
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "empty", complete: true });
    return session;
  };

  it("redraws one item and leaves the rows alone", () => {
    const session = start();
    const frame = (text: string): void => {
      session.frame({ event: { type: "message_update", message: { role: "assistant", content: [{ type: "text", text }], timestamp: 9, stopReason: "pending" } }, generation: 1 });
      session.settle();
    };
    frame("a");
    let rows = 0;
    let drawn = 0;
    session.subscribeRows(() => (rows += 1));
    session.subscribeItem("assistant:9/text0", () => (drawn += 1));
    for (let n = 0; n < 50; n += 1) frame("a".repeat(n + 2));
    expect({ rows, drawn }).toEqual({ rows: 0, drawn: 50 });
  });

  it("accepts additions without the whole message, and ignores one that does not fit", () => {
    const session = start();
    session.frame({ event: { type: "message_start", message: { role: "assistant", content: [], timestamp: 9, stopReason: "pending" } }, seq: 1, generation: 1 });
    const add = (delta: string, offset?: number): void => {
      session.frame({ event: { type: "message_update", assistantMessageEvent: { type: "text_delta", contentIndex: 0, delta, ...(offset === undefined ? {} : { offset }) } }, generation: 1 });
    };
    add("Hel");
    add("lo", 3);
    add("lost", 30);
    expect(seen(session)).toEqual([{ id: "assistant:9/text0", kind: "text", text: "Hello", live: true }]);
  });

  it("does not let a late partial reopen a finished message", () => {
    const session = start();
    const message = { role: "assistant", content: [{ type: "text", text: "whole" }], timestamp: 9, stopReason: "stop" };
    session.frame({ event: { type: "message_end", message }, seq: 1, generation: 1 });
    session.frame({ event: { type: "message_update", message: { ...message, content: [{ type: "text", text: "who" }] } }, generation: 1 });
    expect(seen(session)).toEqual([{ id: "assistant:9/text0", kind: "text", text: "whole", live: false }]);
  });
});
