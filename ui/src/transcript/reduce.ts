/** One agent event into the transcript. No clock, no I/O: local time comes in with the event. */

import { buildItems, entryOf, finishedTool, freshKey, outcome } from "./build";
import { flag, list, number, object, same, text, time, words, type JsonObject } from "./json";
import { fingerprint, parseMessage, parseMessages, resultBlocks, type AssistantMessage, type Message, type ToolResultMessage } from "./message";
import { put, reconcile, reindex, toolEntry, type Reconciled } from "./reconcile";
import { changedFrom, emptyTranscript, indexOfKey, toolItemId, type Changes, type Entry, type Item, type NoticeItem, type ToolItem, type Transcript } from "./model";

/** Longest partial text of a tool kept while it runs; the result message carries the whole. */
const LIVE_OUTPUT_LIMIT = 64 * 1024;

/** Was the event one this fold knows? Others are facts about the session, or new. */
export function reduce(transcript: Transcript, event: JsonObject, now: number, changes: Changes): boolean {
  switch (event["type"]) {
    case "message_start":
      return withMessage(event, (message, print) => apply(transcript, message, message.role === "assistant", now, changes, print));
    case "message_update":
      return update(transcript, event, now, changes);
    case "message_end":
      return withMessage(event, (message, print) => apply(transcript, message, false, now, changes, print));
    case "turn_end": {
      withMessage(event, (message, print) => apply(transcript, message, false, now, changes, print));
      for (const message of parseMessages(event["toolResults"])) apply(transcript, message, false, now, changes);
      return true;
    }
    case "tool_execution_start":
      return toolStart(transcript, event, now, changes);
    case "tool_execution_update":
      return toolUpdate(transcript, event, now, changes);
    case "tool_execution_end":
      return toolEnd(transcript, event, now, changes);
    case "agent_start":
      setActive(transcript, true, changes);
      return true;
    case "agent_end":
      setActive(transcript, false, changes);
      return true;
    case "cli_error":
      return notice(transcript, event, changes, {
        key: `cli-error:${time(event["ts"]) ?? now}`,
        notice: "cli-error",
        tone: "error",
        text: text(event["message"]) ?? "Something went wrong",
        detail: words(event["source"]),
      });
    case "ui_notify":
      return notice(transcript, event, changes, {
        key: `notify:${time(event["ts"]) ?? now}:${text(event["message"]) ?? ""}`,
        notice: "note",
        tone: event["notifyType"] === "error" ? "error" : event["notifyType"] === "warning" ? "warning" : "info",
        text: text(event["message"]) ?? "",
        detail: null,
      });
    case "model_select":
      return modelSelected(transcript, event, now, changes);
    default:
      return false;
  }
}

function withMessage(event: JsonObject, use: (message: Message, print: string | null) => void): true {
  const message = parseMessage(event["message"]);
  if (message) use(message, fingerprint(event["message"]));
  return true;
}

/** Put a message where it stands, or at the end. */
export function apply(transcript: Transcript, message: Message, live: boolean, now: number, changes: Changes, print: string | null = null): void {
  if (message.role === "toolResult") {
    applyResult(transcript, message, changes);
    if (print !== null) transcript.resultPrints.set(message.toolCallId, print);
    return;
  }
  const index = find(transcript, message, live);
  const before = index < 0 ? null : (transcript.entries[index] ?? null);
  if (before && live && !before.live) return; // a late partial of a finished message
  if (message.role === "assistant") transcript.writing = live ? message : null;
  const key = before?.key ?? freshKey(message, (candidate) => transcript.keys.has(candidate));
  const items = buildItems(transcript, key, message, { live, now });
  const moved = items.filter((item) => item.kind === "tool" && transcript.toolOwner.get(item.toolCallId) !== key);
  for (const item of items) put(transcript, item, changes);
  const entry = entryOf(key, message, items, live, live ? null : print);
  if (before) {
    const kept = { ...entry, messageId: entry.messageId ?? before.messageId, requestId: entry.requestId ?? before.requestId };
    if (before.live !== live) changedFrom(changes, index);
    if (same(kept, before)) return;
    transcript.entries[index] = kept;
    const gone = before.items.filter((id) => !entry.items.includes(id));
    for (const id of gone) transcript.items.delete(id);
    if (gone.length > 0 || before.items.length !== entry.items.length || !before.items.every((id, at) => entry.items[at] === id)) changedFrom(changes, index);
  } else insert(transcript, entry, changes);
  if (moved.some((item) => item.kind === "tool" && transcript.toolOwner.has(item.toolCallId))) {
    reindex(transcript);
    changedFrom(changes, 0);
  } else for (const call of entry.toolCalls) transcript.toolOwner.set(call, key);
}

function insert(transcript: Transcript, entry: Entry, changes: Changes): void {
  transcript.entries.push(entry);
  transcript.keys.add(entry.key);
  changedFrom(changes, transcript.entries.length - 1);
}

/** A tool run is drawn differently now, and may fold with its neighbours. */
function toolChanged(transcript: Transcript, toolCallId: string, changes: Changes): void {
  changedFrom(changes, indexOfKey(transcript, transcript.toolOwner.get(toolCallId) ?? ""));
}

/** How far back a live event may refer to; older messages are only touched by snapshots. */
const SEARCH_DEPTH = 200;

function find(transcript: Transcript, message: Exclude<Message, ToolResultMessage>, live: boolean): number {
  const { entries } = transcript;
  let timed = -1;
  for (let index = entries.length - 1; index >= Math.max(0, entries.length - SEARCH_DEPTH); index -= 1) {
    const entry = entries[index];
    if (!entry || entry.role !== message.role) continue;
    if (message.id && entry.messageId === message.id) return index;
    if (message.role === "user" && message.requestId && entry.requestId === message.requestId) return index;
    if (timed < 0 && message.at !== null && entry.at === message.at && compatible(entry, message)) timed = index;
    // Without id and time, the one being written is the one meant.
    if (timed < 0 && message.role === "assistant" && entry.live && (message.at === null || entry.at === null)) timed = index;
    if (timed < 0 && !live && message.at === null && message.id === null && message.role === "assistant" && sharesTools(entry, message)) timed = index;
  }
  return timed;
}

function compatible(entry: Entry, message: Message): boolean {
  if (entry.messageId !== null && message.id !== null && entry.messageId !== message.id) return false;
  if (message.role === "user") {
    if (entry.requestId !== null && message.requestId !== null && entry.requestId !== message.requestId) return false;
    return entry.text === message.text;
  }
  return true;
}

function sharesTools(entry: Entry, message: AssistantMessage): boolean {
  return message.blocks.some((block) => block.kind === "tool" && entry.toolCalls.includes(block.toolCallId));
}

function applyResult(transcript: Transcript, message: ToolResultMessage, changes: Changes): void {
  const item = finishedTool(transcript, message);
  const before = transcript.items.get(item.id);
  put(transcript, item, changes);
  if (!transcript.toolOwner.has(message.toolCallId)) {
    insert(transcript, toolEntry(message.toolCallId, message.at), changes);
    transcript.toolOwner.set(message.toolCallId, `tool:${message.toolCallId}`);
  } else if (stateOf(before) !== item.state) toolChanged(transcript, message.toolCallId, changes);
}

function stateOf(item: Item | undefined): string | null {
  return item?.kind === "tool" ? item.state : null;
}

/** Streaming text: cumulative (`partial` or `message`) or only what was added. */
function update(transcript: Transcript, event: JsonObject, now: number, changes: Changes): boolean {
  const inner = object(event["assistantMessageEvent"]);
  const partial = parseMessage(inner?.["partial"]) ?? parseMessage(event["message"]);
  if (partial) {
    if (partial.role !== "toolResult") apply(transcript, partial, partial.role === "assistant", now, changes);
    return true;
  }
  const grown = transcript.writing && grow(transcript.writing, inner ?? event);
  if (grown) apply(transcript, grown, true, now, changes);
  return true;
}

/** `message` with one addition; `null` when the addition does not continue what is held (a whole copy will follow). */
function grow(message: AssistantMessage, addition: JsonObject): AssistantMessage | null {
  const index = number(addition["contentIndex"]);
  const delta = text(addition["delta"]);
  if (index === null || delta === null || index > message.blocks.length) return null;
  const kind = text(addition["kind"]) ?? text(addition["type"]) ?? "";
  const before = message.blocks[index] ?? (kind.startsWith("thinking") ? { kind: "thinking", text: "", hidden: false, seconds: null } as const : { kind: "text", text: "" } as const);
  if (before.kind !== "text" && before.kind !== "thinking") return null;
  const offset = number(addition["offset"]);
  if (offset !== null && offset !== before.text.length) return null;
  const blocks = [...message.blocks];
  blocks[index] = { ...before, text: before.text + delta };
  return { ...message, blocks };
}

function toolOf(transcript: Transcript, event: JsonObject): { id: string; before: ToolItem | null } | null {
  const toolCallId = words(event["toolCallId"]);
  if (!toolCallId) return null;
  const item = transcript.items.get(toolItemId(toolCallId));
  return { id: toolCallId, before: item?.kind === "tool" ? item : null };
}

function toolStart(transcript: Transcript, event: JsonObject, now: number, changes: Changes): boolean {
  const found = toolOf(transcript, event);
  if (!found) return true;
  const { id, before } = found;
  if (before && (before.state === "done" || before.state === "failed" || before.state === "stopped")) return true;
  const told = object(event["args"]);
  const args = told && Object.keys(told).length > 0 ? told : (before?.args ?? {});
  const item: ToolItem = {
    id: toolItemId(id),
    kind: "tool",
    at: before?.at ?? null,
    toolCallId: id,
    name: words(event["toolName"]) ?? before?.name ?? "tool",
    args: before && same(before.args, args) ? before.args : args,
    state: "running",
    content: before?.content ?? [],
    details: before?.details ?? null,
    since: before?.since ?? time(event["startedAt"]) ?? now,
    durationMs: null,
  };
  put(transcript, item, changes);
  own(transcript, id, changes);
  if (before?.state !== item.state) toolChanged(transcript, id, changes);
  return true;
}

function own(transcript: Transcript, toolCallId: string, changes: Changes): void {
  if (transcript.toolOwner.has(toolCallId)) return;
  insert(transcript, toolEntry(toolCallId, null), changes);
  transcript.toolOwner.set(toolCallId, `tool:${toolCallId}`);
}

function toolUpdate(transcript: Transcript, event: JsonObject, now: number, changes: Changes): boolean {
  toolStart(transcript, event, now, changes);
  const found = toolOf(transcript, event);
  const before = found?.before;
  if (!before || before.state !== "running") return true;
  const partial = object(event["partialResult"]);
  if (!partial) return true;
  const content = resultBlocks(partial["content"]).map((block) =>
    block.kind === "text" && block.text.length > LIVE_OUTPUT_LIMIT ? { ...block, text: block.text.slice(-LIVE_OUTPUT_LIMIT) } : block,
  );
  put(transcript, { ...before, content: content.length > 0 ? content : before.content, details: partial["details"] ?? before.details }, changes);
  return true;
}

function toolEnd(transcript: Transcript, event: JsonObject, now: number, changes: Changes): boolean {
  const found = toolOf(transcript, event);
  if (!found) return true;
  if (!found.before) toolStart(transcript, event, now, changes);
  const before = toolOf(transcript, event)?.before;
  if (!before) return true;
  const result = object(event["result"]);
  const content = result ? resultBlocks(result["content"]) : before.content;
  const state = outcome(flag(event["isError"]) ?? false, content);
  const ended = time(event["endedAt"]) ?? now;
  const started = time(event["startedAt"]) ?? before.since;
  put(
    transcript,
    {
      ...before,
      state,
      content,
      details: result?.["details"] ?? before.details,
      since: null,
      durationMs: before.durationMs ?? (started !== null && ended > 0 ? Math.max(0, ended - started) : null),
    },
    changes,
  );
  if (before.state !== state) toolChanged(transcript, found.id, changes);
  return true;
}

/** The end of a run closes what was left open; its start changes nothing but the working line. */
export function setActive(transcript: Transcript, active: boolean, changes: Changes): void {
  // A run that goes on keeps its last tools in view: the rows of the last turn may fold differently.
  if (transcript.active !== active) changedFrom(changes, transcript.entries.findLastIndex((entry) => entry.role === "user"));
  transcript.active = active;
  if (active) return;
  transcript.entries.forEach((entry, index) => {
    if (!entry.live && entry.toolCalls.length === 0) return;
    for (const id of entry.items) {
      const item = transcript.items.get(id);
      const done = item && closed(item);
      if (!done || done === item) continue;
      put(transcript, done, changes);
      changedFrom(changes, index);
    }
    if (entry.live) transcript.entries[index] = { ...entry, live: false };
  });
}

function closed(item: Item): Item {
  switch (item.kind) {
    case "text":
      return item.live ? { ...item, live: false } : item;
    case "thinking":
      return item.live ? { ...item, live: false, since: null } : item;
    case "tool":
      return item.state === "running" || item.state === "preparing" ? { ...item, state: "stopped", since: null } : item;
    default:
      return item;
  }
}

interface LocalNotice extends Pick<NoticeItem, "notice" | "tone" | "text" | "detail"> {
  readonly key: string;
}

/** A notice that is no message of the agent: it keeps its place after whatever stood last when it came. */
function notice(transcript: Transcript, event: JsonObject, changes: Changes, { key, ...rest }: LocalNotice): boolean {
  if (transcript.items.has(key)) return true;
  const at = time(event["ts"]);
  put(transcript, { id: key, kind: "notice", at, tokensBefore: null, ...rest }, changes);
  insert(transcript, { key, role: "notice", messageId: null, requestId: null, at, items: [key], toolCalls: [], live: false, text: "", print: null }, changes);
  return true;
}

function modelSelected(transcript: Transcript, event: JsonObject, now: number, changes: Changes): boolean {
  const model = object(event["model"]);
  const name = words(model?.["name"]) ?? words(model?.["id"]);
  const previous = object(event["previousModel"]);
  if (!name || event["source"] === "restore" || (previous && previous["id"] === model?.["id"] && previous["provider"] === model?.["provider"])) return true;
  return notice(transcript, event, changes, { key: `model:${time(event["ts"]) ?? now}`, notice: "model", tone: "quiet", text: `Model: ${name}`, detail: null });
}

/** The divider between two conversations of one session. */
export function markBreak(transcript: Transcript, now: number, changes: Changes): void {
  const key = `break:${now}`;
  put(transcript, { id: key, kind: "notice", at: now, notice: "break", tone: "quiet", text: "The conversation was replaced", detail: null, tokensBefore: null }, changes);
  transcript.keys.add(key);
  transcript.entries.unshift({ key, role: "notice", messageId: null, requestId: null, at: now, items: [key], toolCalls: [], live: false, text: "", print: null });
  changedFrom(changes, 0);
}

export interface SnapshotEvent {
  readonly messages: unknown;
  readonly truncated: boolean;
  readonly oldestIndex: number | null;
  /** Tell the person when another conversation took the place of the one on screen. */
  readonly announce: boolean;
}

export function applySnapshot(transcript: Transcript, snapshot: SnapshotEvent, now: number, changes: Changes): Reconciled {
  const outcome = reconcile(transcript, { messages: list(snapshot.messages), truncated: snapshot.truncated, oldestIndex: snapshot.oldestIndex }, changes);
  if (outcome === "replaced" && snapshot.announce) markBreak(transcript, now, changes);
  return outcome;
}

/** Older messages in front of what is held. Those already held are left alone. */
export function prepend(transcript: Transcript, messages: readonly unknown[], oldestIndex: number, hasMore: boolean, changes: Changes): void {
  const older = { ...emptyTranscript(), active: transcript.active };
  reconcile(older, { messages, truncated: false, oldestIndex }, changes);
  const ids = new Set(transcript.entries.flatMap((entry) => (entry.messageId ? `${entry.role}#${entry.messageId}` : [])));
  const fresh = older.entries.filter((entry) => !transcript.keys.has(entry.key) && !(entry.messageId && ids.has(`${entry.role}#${entry.messageId}`)));
  for (const id of fresh.flatMap((entry) => entry.items)) {
    const item = older.items.get(id);
    if (item) put(transcript, joined(item, transcript.items.get(id)), changes);
  }
  transcript.entries = [...fresh, ...transcript.entries];
  transcript.oldestIndex = oldestIndex;
  transcript.hasMore = hasMore;
  for (const [call, print] of older.resultPrints) transcript.resultPrints.set(call, print);
  reindex(transcript);
  changedFrom(changes, 0);
}

/** A call from an older page whose result was already here. */
function joined(older: Item, held: Item | undefined): Item {
  if (older.kind !== "tool" || held?.kind !== "tool") return older;
  return held.state === "done" || held.state === "failed" ? { ...held, at: older.at, name: older.name, args: older.args } : older;
}
