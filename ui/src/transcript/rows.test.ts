import { describe, expect, it } from "vitest";
import type { JsonObject } from "./json";
import type { Row } from "./rows";
import type { SessionModel } from "./session";
import { model, random, script } from "./testing";

const DAY = 86_400_000;

function open(): { session: SessionModel; send: (event: JsonObject) => void } {
  const session = model();
  session.attach(1, false);
  session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "empty", complete: true });
  let seq = 0;
  return {
    session,
    send: (event) => {
      session.frame({ event, seq: (seq += 1), generation: 1 });
      session.settle();
    },
  };
}

const user = (at: number, text: string): JsonObject => ({ type: "message_end", message: { role: "user", content: text, timestamp: at } });
const says = (at: number, ...content: JsonObject[]): JsonObject => ({ type: "message_end", message: { role: "assistant", content, timestamp: at, stopReason: "stop" } });
const text = (value: string): JsonObject => ({ type: "text", text: value });
const call = (id: string, name = "bash"): JsonObject => ({ type: "toolCall", id, name, arguments: { command: id } });
const done = (id: string, isError = false): JsonObject => ({ type: "message_end", message: { role: "toolResult", toolCallId: id, toolName: "bash", content: [text("out")], isError, timestamp: 1 } });
const shape = (rows: readonly Row[]): string[] => rows.filter((row) => row.kind !== "top").map((row) => (row.kind === "item" ? row.item : row.kind === "group" ? `group ${row.itemIds.length}` : row.kind));

describe("rows", () => {
  it("fold finished tools once something follows them, and keep edits on a line of their own", () => {
    const { session, send } = open();
    send({ type: "agent_start" });
    send(user(1, "go"));
    send(says(2, call("a"), call("b"), call("c"), call("e", "edit")));
    for (const id of ["a", "b", "c", "e"]) send(done(id));
    expect(shape(session.rows())).toEqual(["user", "group 3", "tool", "working"]);
    send(says(3, text("done")));
    send({ type: "agent_end" });
    expect(shape(session.rows())).toEqual(["user", "group 3", "tool", "text"]);
  });

  it("keep the last tools in view while the run goes on", () => {
    const { session, send } = open();
    send({ type: "agent_start" });
    for (let round = 0; round < 5; round += 1) {
      send(says(10 + round, call(`t${round}`)));
      send(done(`t${round}`));
    }
    expect(shape(session.rows())).toEqual(["group 3", "tool", "tool", "working"]);
    send({ type: "agent_end" });
    expect(shape(session.rows())).toEqual(["group 5"]);
  });

  it("do not fold away what somebody is reading", () => {
    const { session, send } = open();
    send({ type: "agent_start" });
    for (let round = 0; round < 3; round += 1) {
      send(says(10 + round, call(`t${round}`)));
      send(done(`t${round}`));
    }
    const before = shape(session.rows());
    session.setView({ hold: true });
    for (let round = 3; round < 6; round += 1) {
      send(says(10 + round, call(`t${round}`)));
      send(done(`t${round}`));
    }
    send({ type: "agent_end" });
    expect(shape(session.rows()).slice(0, before.length - 1)).toEqual(before.slice(0, -1));
    session.setView({ hold: false });
    expect(shape(session.rows())).toEqual(["group 6"]);
  });

  it("show the members of an opened group under it", () => {
    const { session, send } = open();
    send(says(2, call("a"), call("b")));
    send(done("a"));
    send(done("b"));
    const group = session.rows().find((row) => row.kind === "group");
    session.setOpen(group?.id ?? "", true);
    expect(shape(session.rows())).toEqual(["group 2", "tool", "tool"]);
  });

  it("separate days", () => {
    const { session, send } = open();
    send(user(5 * DAY, "one"));
    send(user(6 * DAY, "two"));
    expect(shape(session.rows())).toEqual(["user", "day", "user"]);
  });

  it("are the same objects while nothing about them changed", () => {
    const { session, send } = open();
    for (let turn = 1; turn < 40; turn += 1) {
      send(user(turn * 10, `q${turn}`));
      send(says(turn * 10 + 1, text(`a${turn}`)));
    }
    const before = session.rows();
    send(user(5_000, "new"));
    const after = session.rows();
    expect(after.length).toBe(before.length + 1);
    before.forEach((row, index) => expect(after[index]).toBe(row));
  });

  it("come out the same drawn step by step and drawn at once", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const steps = script(random(seed), { turns: 4, withIds: true });
      const stepwise = open();
      const once = open();
      for (const step of steps) stepwise.send(step.event);
      once.session.setView({ hold: true });
      once.session.setView({ hold: false });
      let seq = 0;
      for (const step of steps) once.session.frame({ event: step.event, seq: (seq += 1), generation: 1 });
      once.session.settle();
      expect(stepwise.session.rows()).toEqual(once.session.rows());
      // From scratch, without what was drawn before.
      stepwise.session.setView({ foldTools: false });
      stepwise.session.setView({ foldTools: true });
      expect(stepwise.session.rows()).toEqual(once.session.rows());
    }
  });
});
