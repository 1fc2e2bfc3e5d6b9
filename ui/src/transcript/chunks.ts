/** Large snapshots come in pieces. They are put together off-screen, by index; what belongs to another snapshot is ignored. */

import { flag, list, number, object, words, type JsonObject } from "./json";

/** No progress for this long: the sender is gone, ask again. */
export const CHUNK_STALL_MS = 10_000;

export interface Assembly {
  readonly snapshotId: string;
  /** The header's state without messages. */
  readonly state: JsonObject;
  readonly parts: ReadonlyMap<number, readonly unknown[]>;
  readonly totalMessages: number | null;
  readonly totalChunks: number | null;
  readonly finalSeen: boolean;
  /** Local clock of the last new piece. */
  readonly progressAt: number;
}

export type ChunkStep =
  | { readonly kind: "ignored" }
  /** `missing`: the last piece came and others did not, so they were lost and must be asked for. */
  | { readonly kind: "waiting"; readonly assembly: Assembly; readonly missing: boolean }
  | { readonly kind: "complete"; readonly state: JsonObject; readonly messages: readonly unknown[] };

/** Begin an assembly from a `session_active` whose state says `chunked`. */
export function openAssembly(state: JsonObject, now: number): Assembly | null {
  const snapshotId = words(state["snapshotId"]);
  if (flag(state["chunked"]) !== true || !snapshotId) return null;
  return { snapshotId, state, parts: new Map(), totalMessages: number(state["totalMessages"]), totalChunks: null, finalSeen: false, progressAt: now };
}

export function addChunk(assembly: Assembly, chunk: JsonObject, now: number): ChunkStep {
  const index = number(chunk["chunkIndex"]);
  if (chunk["snapshotId"] !== assembly.snapshotId || index === null || index < 0 || assembly.parts.has(index)) return { kind: "ignored" };
  const parts = new Map(assembly.parts).set(index, list(chunk["messages"]));
  const totalChunks = number(chunk["totalChunks"]) ?? assembly.totalChunks;
  const finalSeen = assembly.finalSeen || flag(chunk["final"]) === true;
  if (finalSeen && totalChunks !== null && parts.size >= totalChunks) {
    const messages = Array.from({ length: totalChunks }, (_, at) => parts.get(at) ?? []).flat();
    return { kind: "complete", state: assembly.state, messages };
  }
  const totalMessages = number(chunk["totalMessages"]) ?? assembly.totalMessages;
  return { kind: "waiting", missing: finalSeen, assembly: { ...assembly, parts, totalChunks, finalSeen, totalMessages, progressAt: now } };
}

export function received(assembly: Assembly): number {
  let count = 0;
  for (const part of assembly.parts.values()) count += part.length;
  return count;
}

/** Is this event a header of a chunked snapshot? */
export function chunkedState(event: JsonObject): JsonObject | null {
  const state = object(event["state"]);
  return event["type"] === "session_active" && state && flag(state["chunked"]) === true ? state : null;
}
