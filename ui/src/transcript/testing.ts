/** A small scripted agent and relay for tests: numbered events, partial frames, snapshots at any point. Not shipped. */

import type { JsonObject } from "./json";
import { SessionModel } from "./session";

export interface Step {
  /** Durable events are numbered and can be replayed; others are seen live or never. */
  readonly durable: boolean;
  readonly event: JsonObject;
}

/** Deterministic random numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface ScriptOptions {
  readonly turns: number;
  readonly withIds: boolean;
}

/** A conversation: prompts, thoughts, text, parallel tools with output. */
export function script(rand: () => number, { turns, withIds }: ScriptOptions): Step[] {
  const steps: Step[] = [];
  let clock = 1_700_000_000_000;
  let serial = 0;
  const tick = (): number => (clock += 1 + Math.floor(rand() * 500));
  const durable = (event: JsonObject): void => void steps.push({ durable: true, event });
  const streamed = (event: JsonObject): void => void steps.push({ durable: false, event });
  const named = (message: JsonObject): JsonObject => (withIds ? { ...message, id: `m${(serial += 1)}` } : message);
  const word = (): string => ["alpha ", "beta ", "`gamma` ", "\n\n", "delta "][Math.floor(rand() * 5)] ?? "";

  for (let turn = 0; turn < turns; turn += 1) {
    const user = named({ role: "user", content: `prompt ${turn}`, timestamp: tick(), ...(rand() < 0.5 ? { requestId: `r${turn}` } : {}) });
    durable({ type: "message_start", message: user });
    durable({ type: "message_end", message: user });
    durable({ type: "agent_start" });
    const rounds = 1 + Math.floor(rand() * 3);
    for (let round = 0; round < rounds; round += 1) {
      const last = round === rounds - 1;
      const base = named({ role: "assistant", provider: "p", model: "m", api: "a", timestamp: tick() });
      const content: JsonObject[] = [];
      const frame = (): void => streamed({ type: "message_update", message: { ...base, content: structuredClone(content), stopReason: "pending" }, assistantMessageEvent: { type: "text_delta" } });
      durable({ type: "message_start", message: { ...base, content: [], stopReason: "pending" } });
      if (rand() < 0.6) {
        content.push({ type: "thinking", thinking: "" });
        for (let n = 0; n < 3; n += 1) {
          content[content.length - 1] = { type: "thinking", thinking: String(content.at(-1)?.["thinking"]) + word() + "hm" };
          frame();
        }
        content[content.length - 1] = { ...content.at(-1), durationSeconds: 2 };
      }
      content.push({ type: "text", text: "" });
      for (let n = 0; n < 4; n += 1) {
        content[content.length - 1] = { type: "text", text: String(content.at(-1)?.["text"]) + word() + "x" };
        frame();
      }
      const calls = last ? [] : Array.from({ length: 1 + Math.floor(rand() * 3) }, () => `call${(serial += 1)}`);
      for (const call of calls) {
        content.push({ type: "toolCall", id: call, name: "bash", arguments: { command: `echo ${call}` } });
        frame();
      }
      const whole = { ...base, content: structuredClone(content), stopReason: last ? "stop" : "toolUse" };
      durable({ type: "message_end", message: whole });
      const results: JsonObject[] = [];
      for (const call of calls) {
        durable({ type: "tool_execution_start", toolCallId: call, toolName: "bash", args: { command: `echo ${call}` } });
        streamed({ type: "tool_execution_update", toolCallId: call, toolName: "bash", args: {}, partialResult: { content: [{ type: "text", text: "part" }] } });
        const failed = rand() < 0.2;
        const outcome = { content: [{ type: "text", text: `out ${call}` }] };
        durable({ type: "tool_execution_end", toolCallId: call, toolName: "bash", result: outcome, isError: failed });
        const result = named({ role: "toolResult", toolCallId: call, toolName: "bash", ...outcome, isError: failed, timestamp: tick() });
        results.push(result);
        durable({ type: "message_start", message: result });
        durable({ type: "message_end", message: result });
      }
      durable({ type: "turn_end", turnIndex: round, message: whole, toolResults: results });
    }
    durable({ type: "agent_end" });
    durable({ type: "heartbeat", active: false });
  }
  return steps;
}

/** The agent's list of finished messages after the given steps. */
export function messagesAfter(steps: readonly Step[]): JsonObject[] {
  const messages: JsonObject[] = [];
  for (const { event } of steps) {
    const message = event["message"];
    if (event["type"] === "message_end" && typeof message === "object" && message !== null) messages.push({ ...message });
  }
  return messages;
}

export function model(sessionId = "s"): SessionModel {
  let now = 1_000;
  return new SessionModel(sessionId, {
    now: () => (now += 1),
    clock: () => 0,
    schedule: () => undefined,
    dayOf: (at) => Math.floor(at / 86_400_000),
  });
}

/** What a person would see, without local clocks. */
export function seen(session: SessionModel): unknown[] {
  session.settle();
  return session.allItems().map((item) => {
    switch (item.kind) {
      case "tool":
        return { id: item.id, kind: item.kind, name: item.name, args: item.args, state: item.state, content: item.content };
      case "thinking":
        return { id: item.id, kind: item.kind, text: item.text, seconds: item.seconds, live: item.live };
      case "text":
        return { id: item.id, kind: item.kind, text: item.text, live: item.live };
      case "user":
        return { id: item.id, kind: item.kind, text: item.text };
      default:
        return { id: item.id, kind: item.kind };
    }
  });
}

export function ids(session: SessionModel): string[] {
  session.settle();
  return session.allItems().map((item) => item.id);
}
