/**
 * Which frames of a session may be applied, and in what order. One gate per attached session: it knows the generation of the
 * current switch and the position reached, holds what came too early and asks for what is missing.
 *
 * Invariant: the cursor only moves over events that were handed out for application. Guarded by seq.test.ts.
 */

import { flag, number, object, text, words, type JsonObject } from "./json";

/** Two questions for missing events are at least this far apart. */
export const RESYNC_COOLDOWN_MS = 1_000;
/** Events waiting for a missing one; more than this and a whole snapshot is cheaper. */
export const MAX_HELD = 2_000;

export interface Envelope {
  readonly event: JsonObject;
  readonly seq: number | null;
  readonly generation: number | null;
  readonly sessionId: string | null;
}

export interface Hydrated {
  readonly generation: number | null;
  readonly epoch: number | null;
  readonly seq: number | null;
  readonly via: string;
  readonly complete: boolean;
}

export interface Gate {
  readonly sessionId: string;
  readonly generation: number;
  readonly phase: "attaching" | "live";
  readonly epoch: number | null;
  /** Position of the last applied event; `null` before any content. */
  readonly seq: number | null;
  readonly held: readonly Envelope[];
  readonly askedAt: number | null;
}

export interface Admission {
  readonly gate: Gate;
  /** In order. */
  readonly apply: readonly Envelope[];
  /** Ask for what lies after the cursor, or, with `whole`, for a snapshot. */
  readonly ask: "nothing" | "missing" | "whole";
}

export function openGate(sessionId: string, generation: number, have: { epoch: number | null; seq: number } | null): Gate {
  return { sessionId, generation, phase: "attaching", epoch: have?.epoch ?? null, seq: have?.seq ?? null, held: [], askedAt: null };
}

export function parseEnvelope(value: unknown): Envelope | null {
  const raw = object(value);
  const event = raw && object(raw["event"]);
  if (!raw || !event || text(event["type"]) === null) return null;
  return { event, seq: number(raw["seq"]), generation: number(raw["generation"]), sessionId: text(raw["sessionId"]) };
}

export function parseHydrated(value: unknown): (Hydrated & { readonly sessionId: string | null }) | null {
  const raw = object(value);
  if (!raw) return null;
  return {
    sessionId: text(raw["sessionId"]),
    generation: number(raw["generation"]),
    epoch: number(raw["epoch"]),
    seq: number(raw["seq"]) ?? number(raw["uptoSeq"]),
    via: words(raw["via"]) ?? "snapshot",
    complete: flag(raw["complete"]) ?? true,
  };
}

/** Does the stamp belong to the session and the switch this gate stands for? */
export function belongs(gate: Gate, stamp: { readonly sessionId?: string | null; readonly generation: number | null }): boolean {
  if (stamp.sessionId && stamp.sessionId !== gate.sessionId) return false;
  return stamp.generation === null || stamp.generation === gate.generation;
}

export function isSnapshot(event: JsonObject): boolean {
  if (event["type"] !== "session_active") return false;
  const state = object(event["state"]);
  return state !== null && flag(state["chunked"]) !== true;
}

export function admit(gate: Gate, frame: Envelope, now: number): Admission {
  if (!belongs(gate, frame)) return pass(gate);
  const { seq } = frame;
  if (isSnapshot(frame.event)) return admitSnapshot(gate, frame);
  if (seq === null) return pass(gate, [frame]);
  if (gate.seq === null) return hold(gate, frame, now);
  if (seq <= gate.seq) return pass(gate);
  if (seq > gate.seq + 1) return hold(gate, frame, now);
  return drain({ ...gate, seq }, [frame], now);
}

/** A snapshot stands for everything up to its number. An older one than what was applied would rewind the screen. */
function admitSnapshot(gate: Gate, frame: Envelope): Admission {
  if (frame.seq === null) return pass(gate, [frame]);
  if (gate.seq !== null && frame.seq < gate.seq) return pass(gate);
  return drain({ ...gate, seq: frame.seq }, [frame], 0);
}

function hold(gate: Gate, frame: Envelope, now: number): Admission {
  const held = insert(gate.held, frame);
  if (held.length > MAX_HELD) return { gate: { ...gate, held: [], askedAt: now }, apply: [], ask: "whole" };
  const next = { ...gate, held };
  // While attaching the missing part is on its way; `hydrated` decides.
  if (gate.phase === "attaching") return pass(next);
  if (gate.askedAt !== null && now - gate.askedAt < RESYNC_COOLDOWN_MS) return pass(next);
  return { gate: { ...next, askedAt: now }, apply: [], ask: gate.seq === null ? "whole" : "missing" };
}

function insert(held: readonly Envelope[], frame: Envelope): readonly Envelope[] {
  const seq = frame.seq ?? 0;
  let at = held.length;
  while (at > 0 && (held[at - 1]?.seq ?? 0) > seq) at -= 1;
  if (held[at - 1]?.seq === seq) return held;
  return [...held.slice(0, at), frame, ...held.slice(at)];
}

/** Hand out what follows the cursor without a hole. */
function drain(gate: Gate, applied: readonly Envelope[], now: number): Admission {
  let seq = gate.seq;
  const apply = [...applied];
  const held: Envelope[] = [];
  for (const frame of gate.held) {
    if (seq !== null && frame.seq !== null && frame.seq <= seq) continue;
    if (seq !== null && frame.seq === seq + 1) {
      apply.push(frame);
      seq = frame.seq;
    } else held.push(frame);
  }
  return { gate: { ...gate, seq, held, askedAt: held.length === 0 ? null : gate.askedAt ?? (now || null) }, apply, ask: "nothing" };
}

function pass(gate: Gate, apply: readonly Envelope[] = []): Admission {
  return { gate, apply, ask: "nothing" };
}

/** The server says where the attach ended. */
export function hydrate(gate: Gate, hydrated: Hydrated, now: number): Admission {
  if (!belongs(gate, hydrated)) return pass(gate);
  const live: Gate = { ...gate, phase: "live", epoch: hydrated.epoch ?? gate.epoch, askedAt: null };
  const { seq } = hydrated;
  if (seq === null) return drain(live, [], now);
  const restarted = hydrated.epoch !== null && gate.epoch !== null && hydrated.epoch > gate.epoch && gate.seq !== null && seq < gate.seq;
  if (restarted) return drain({ ...live, seq }, [], now);
  if (hydrated.via === "delta" && gate.seq !== null && gate.seq < seq) {
    const next = drain(live, [], now);
    if ((next.gate.seq ?? 0) >= seq) return next;
    return { ...next, gate: { ...next.gate, askedAt: now }, ask: "missing" };
  }
  return drain({ ...live, seq: gate.seq === null ? seq : Math.max(seq, gate.seq) }, [], now);
}

/** `connected` promises no content: it may only say that the numbers began anew. */
export function connected(gate: Gate, stamp: { readonly generation: number | null; readonly sessionId: string | null; readonly lastSeq: number | null }): Gate {
  if (!belongs(gate, stamp) || stamp.lastSeq === null || gate.seq === null || stamp.lastSeq >= gate.seq) return gate;
  return { ...gate, seq: null, held: [] };
}

/** The server compared positions and we are behind without knowing it. */
export function behind(gate: Gate, head: number, now: number): Admission {
  if (gate.phase !== "live" || gate.seq === null || head <= gate.seq) return pass(gate);
  if (gate.askedAt !== null && now - gate.askedAt < RESYNC_COOLDOWN_MS) return pass(gate);
  return { gate: { ...gate, askedAt: now }, apply: [], ask: "missing" };
}
