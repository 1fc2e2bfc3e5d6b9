import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { foldFacts, NO_FACTS } from "./facts";
import { isObject, type JsonObject } from "./json";
import { parseEnvelope, parseHydrated } from "./seq";
import { model } from "./testing";

/** Beside the crate that writes them; tests run in `ui/`. */
const GOLDEN = `${resolve("../crates/protocol/tests/golden")}/`;

/** Every example of a file: one object or a list of them. */
function read(path: string): JsonObject[] {
  const value: unknown = JSON.parse(readFileSync(GOLDEN + path, "utf8"));
  return (Array.isArray(value) ? value : [value]).filter(isObject);
}

/** Examples of socket events stand in an envelope with what is acknowledged. */
function payload(example: JsonObject): unknown {
  return "payload" in example ? example["payload"] : example;
}

describe("the examples of the protocol", () => {
  const events = readdirSync(`${GOLDEN}agent_event`);

  it.each(events)("%s can be applied to a session", (file) => {
    const examples = read(`agent_event/${file}`);
    expect(examples.length).toBeGreaterThan(0);
    const session = model();
    session.attach(1, false);
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "empty", complete: true });
    examples.forEach((event, index) => {
      session.frame({ event, seq: index + 1, generation: 1 });
      session.settle();
      expect(foldFacts(NO_FACTS, event, 1)).toBeDefined();
    });
    expect(session.position).toEqual({ epoch: 1, seq: examples.length });
  });

  it("of an event envelope and a hydration are read whole", () => {
    for (const example of read("viewer/from_server/event.json").map(payload)) expect(parseEnvelope(example)?.event["type"]).toBeTypeOf("string");
    for (const example of read("viewer/from_server/hydrated.json").map(payload)) {
      expect(parseHydrated(example)).toMatchObject({ generation: expect.any(Number), epoch: expect.any(Number), seq: expect.any(Number), complete: expect.any(Boolean) });
    }
  });

  it("of a user message names its command", () => {
    const session = model();
    session.attach(1, false);
    session.hydrated({ sessionId: "s", generation: 1, epoch: 1, seq: 0, via: "empty", complete: true });
    session.frame({ event: { type: "message_end", message: { role: "user", content: "hi", timestamp: 1, commandId: "c1" } }, seq: 1, generation: 1 });
    session.settle();
    expect(session.item("user:c1")).toMatchObject({ kind: "user", requestId: "c1" });
  });
});
