/** Admitted events wait here for the next frame. What a newer event makes worthless is dropped at once. */

import { object, text, words, type JsonObject } from "./json";

export class Ingress {
  #queue: JsonObject[] = [];

  get length(): number {
    return this.#queue.length;
  }

  push(event: JsonObject): void {
    if (event["type"] === "message_update" && cumulative(event)) {
      const last = this.#queue.at(-1);
      if (last && last["type"] === "message_update" && writes(last) === writes(event)) {
        this.#queue[this.#queue.length - 1] = event;
        return;
      }
    } else if (event["type"] === "tool_execution_update") {
      const call = words(event["toolCallId"]);
      const at = this.#queue.findLastIndex((queued) => queued["toolCallId"] === call && call !== null);
      if (at >= 0 && this.#queue[at]?.["type"] === "tool_execution_update") {
        this.#queue[at] = event;
        return;
      }
    }
    this.#queue.push(event);
  }

  /** The oldest event, removed. */
  take(): JsonObject | undefined {
    return this.#queue.shift();
  }

  /** Everything, removed. */
  takeAll(): JsonObject[] {
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  clear(): void {
    this.#queue = [];
  }
}

/** Does this update carry the whole message so far, and so replace an earlier one? */
function cumulative(event: JsonObject): boolean {
  return object(event["message"]) !== null || object(object(event["assistantMessageEvent"])?.["partial"]) !== null;
}

/** Which message an update writes. */
function writes(event: JsonObject): unknown {
  const message = object(object(event["assistantMessageEvent"])?.["partial"]) ?? object(event["message"]);
  return message?.["timestamp"] ?? message?.["id"] ?? text(event["messageId"]);
}
