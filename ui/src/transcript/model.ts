/**
 * What a transcript is made of. An item is one thing a person sees as a unit: a prompt, a passage of text, one thought, one
 * tool run, one notice. Items are replaced, never changed, and keep their id for as long as the conversation lives.
 */

import type { AssistantMessage, ImageRef, ResultBlock, SearchHit } from "./message";
import type { JsonObject } from "./json";

export type ItemId = string;

interface ItemCommon {
  readonly id: ItemId;
  /** Milliseconds, agent's clock; `null` when the agent did not say. */
  readonly at: number | null;
}

export interface UserItem extends ItemCommon {
  readonly kind: "user";
  readonly text: string;
  readonly images: readonly ImageRef[];
  readonly requestId: string | null;
}

export interface TextItem extends ItemCommon {
  readonly kind: "text";
  readonly text: string;
  /** More is coming: the last block may be unfinished Markdown. */
  readonly live: boolean;
}

export interface ThinkingItem extends ItemCommon {
  readonly kind: "thinking";
  readonly text: string;
  readonly hidden: boolean;
  readonly seconds: number | null;
  /** Local clock at the first sign of it, for the running count; `null` once finished or when it was not watched. */
  readonly since: number | null;
  readonly live: boolean;
}

export type ToolState = "preparing" | "running" | "done" | "failed" | "stopped";

export interface ToolItem extends ItemCommon {
  readonly kind: "tool";
  readonly toolCallId: string;
  readonly name: string;
  readonly args: JsonObject;
  readonly state: ToolState;
  readonly content: readonly ResultBlock[];
  readonly details: unknown;
  /** Local clock at the start, for the running count. */
  readonly since: number | null;
  readonly durationMs: number | null;
}

export interface ImageItem extends ItemCommon {
  readonly kind: "image";
  readonly images: readonly ImageRef[];
}

export interface SearchItem extends ItemCommon {
  readonly kind: "search";
  readonly query: string | null;
  readonly hits: readonly SearchHit[];
}

export type NoticeTone = "quiet" | "info" | "warning" | "error";

export interface NoticeItem extends ItemCommon {
  readonly kind: "notice";
  readonly notice: "compaction" | "branch" | "error" | "aborted" | "length" | "cli-error" | "note" | "model" | "break";
  readonly tone: NoticeTone;
  readonly text: string;
  readonly detail: string | null;
  readonly tokensBefore: number | null;
}

export interface CustomItem extends ItemCommon {
  readonly kind: "custom";
  readonly customType: string;
  readonly text: string;
  readonly images: readonly ImageRef[];
  readonly details: unknown;
}

export interface UnknownItem extends ItemCommon {
  readonly kind: "unknown";
  readonly name: string;
  readonly raw: unknown;
}

export type Item =
  | UserItem
  | TextItem
  | ThinkingItem
  | ToolItem
  | ImageItem
  | SearchItem
  | NoticeItem
  | CustomItem
  | UnknownItem;

/** One message of the agent's list, or one local notice: the unit that snapshots are matched by. */
export interface Entry {
  /** Stable for the life of the conversation; item ids start with it. */
  readonly key: string;
  readonly role: "user" | "assistant" | "tool" | "shell" | "custom" | "summary" | "unknown" | "notice";
  readonly messageId: string | null;
  readonly requestId: string | null;
  readonly at: number | null;
  readonly items: readonly ItemId[];
  readonly toolCalls: readonly string[];
  /** Still being written. */
  readonly live: boolean;
  /** Text of a user message and nothing else: tells same-time messages apart. */
  readonly text: string;
  /** Fingerprint of the message as it came; an equal one needs no second look. */
  readonly print: string | null;
}

/** What one fold changed: which items, and whether the list of items is another one. */
export interface Changes {
  readonly items: Set<ItemId>;
  structure: boolean;
  /** Entries before this index are as they were, and so are their rows. */
  from: number;
}

export function noChanges(): Changes {
  return { items: new Set(), structure: false, from: Infinity };
}

/** The list of items is another one from the entry at `index` on. */
export function changedFrom(changes: Changes, index: number): void {
  changes.structure = true;
  changes.from = Math.min(changes.from, Math.max(0, index));
}

/** Where an entry stands, looked for from the end: what changes is nearly always there. */
export function indexOfKey(transcript: Transcript, key: string): number {
  return transcript.entries.findLastIndex((entry) => entry.key === key);
}

/** The transcript as data. Mutable on purpose, and owned by one model; what it hands out are immutable items. */
export interface Transcript {
  entries: Entry[];
  readonly items: Map<ItemId, Item>;
  /** Keys of all entries. */
  readonly keys: Set<string>;
  /** Which entry holds a tool run. */
  readonly toolOwner: Map<string, string>;
  /** Fingerprints of the tool results applied, by tool call. */
  readonly resultPrints: Map<string, string>;
  /** The assistant message being written, as last heard; what was added is added to this. */
  writing: AssistantMessage | null;
  /** Index in the session's full list of the oldest message held; `null` when unknown. */
  oldestIndex: number | null;
  hasMore: boolean;
  /** The agent's run is going on. */
  active: boolean;
}

export function emptyTranscript(): Transcript {
  return { entries: [], items: new Map(), keys: new Set(), toolOwner: new Map(), resultPrints: new Map(), writing: null, oldestIndex: null, hasMore: false, active: false };
}

export function toolItemId(toolCallId: string): ItemId {
  return `t:${toolCallId}`;
}
