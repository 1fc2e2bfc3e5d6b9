/**
 * A snapshot is matched to what is on screen, never put in its place: whatever is the same message keeps its identity, its
 * folding and its height. What the snapshot leaves out is either older than it reaches back, kept, or gone, removed.
 */

import { buildItems, entryOf, finishedTool, freshKey } from "./build";
import { fingerprint, parseMessage, type Message, type ToolResultMessage } from "./message";
import { object, same, words } from "./json";
import { changedFrom, toolItemId, type Changes, type Entry, type Item, type Transcript } from "./model";

export interface Snapshot {
  /** As they came; what is known already is not read again. */
  readonly messages: readonly unknown[];
  /** The sender left out older messages; `oldestIndex` is the index of the first one here. */
  readonly truncated: boolean;
  readonly oldestIndex: number | null;
}

/** One message of a snapshot: known by its print, or read. */
type Body =
  | { readonly known: Entry; readonly message: null; readonly print: string }
  | { readonly known: null; readonly message: Exclude<Message, ToolResultMessage>; readonly print: string | null };

/** Below this share of matches the conversation is another one (resume, fork, new). */
const SAME_CONVERSATION = 0.5;

/** `jumped`: the same conversation, but what lies between the old end and the new beginning was not sent. */
export type Reconciled = "same" | "replaced" | "jumped";

export function reconcile(transcript: Transcript, snapshot: Snapshot, changes: Changes): Reconciled {
  const previous = transcript.entries;
  const { bodies: unplaced, results } = read(transcript, snapshot.messages);
  const bodies = placeSummaries(unplaced);
  const matches = match(previous, bodies);
  const outcome = judge(previous, bodies, matches, snapshot.truncated);
  const carried = outcome === "same";

  const taken = new Set(previous.map((entry) => entry.key));
  const next: Entry[] = [];
  const used = new Set<string>();
  bodies.forEach((body, index) => {
    if (body.known) {
      used.add(body.known.key);
      for (const call of body.known.toolCalls) resettle(transcript, call, results, changes);
      next.push(body.known);
      return;
    }
    const { message } = body;
    const before = carried ? (matches[index] ?? null) : null;
    const key = before?.key ?? freshKey(message, (candidate) => taken.has(candidate));
    taken.add(key);
    used.add(key);
    const items = buildItems(transcript, key, message, { live: false, now: 0 }).map((item) => settle(transcript, item, results));
    for (const item of items) put(transcript, item, changes);
    const entry = entryOf(key, message, items, false, body.print);
    next.push(keepEntry(before, { ...entry, messageId: entry.messageId ?? before?.messageId ?? null, requestId: entry.requestId ?? before?.requestId ?? null }));
  });

  const compacted = bodies.some(isCompaction);
  const oldest = previous.find((entry) => entry.role !== "notice")?.key;
  transcript.entries = carried ? weave(previous, next, used, { keepOlder: compacted || snapshot.truncated, active: transcript.active }) : next;
  adoptOrphanResults(transcript, results, changes);
  const reachesBack = oldest !== undefined && !used.has(oldest) && transcript.entries.some((entry) => entry.key === oldest);
  if (!(reachesBack && snapshot.truncated && transcript.oldestIndex !== null)) transcript.oldestIndex = snapshot.oldestIndex;
  const hadMore = transcript.hasMore;
  transcript.hasMore = (transcript.oldestIndex ?? 0) > 0;
  reindex(transcript);
  if (hadMore !== transcript.hasMore) changedFrom(changes, 0);
  changedFrom(changes, firstDifference(previous, transcript.entries, changes));
  return outcome;
}

/** Split into messages with a place of their own and results that belong to tool runs; skip what is known. */
function read(transcript: Transcript, messages: readonly unknown[]): { bodies: Body[]; results: Map<string, ToolResultMessage> } {
  const byPrint = new Map<string, Entry>();
  for (const entry of transcript.entries) if (entry.print !== null && !entry.live) byPrint.set(entry.print, entry);
  const bodies: Body[] = [];
  const results = new Map<string, ToolResultMessage>();
  for (const value of messages) {
    const print = fingerprint(value);
    if (print !== null) {
      const known = byPrint.get(print);
      if (known) {
        byPrint.delete(print);
        bodies.push({ known, message: null, print });
        continue;
      }
      const call = resultOf(value);
      if (call !== null && transcript.resultPrints.get(call) === print) continue;
    }
    const message = parseMessage(value);
    if (!message) continue;
    if (message.role === "toolResult") {
      results.set(message.toolCallId, message);
      if (print !== null) transcript.resultPrints.set(message.toolCallId, print);
    } else bodies.push({ known: null, message, print });
  }
  return { bodies, results };
}

function resultOf(value: unknown): string | null {
  const raw = object(value);
  return raw?.["role"] === "toolResult" ? words(raw["toolCallId"]) : null;
}

function isCompaction(body: Body): boolean {
  return body.known ? body.known.key.startsWith("summary") : body.message.role === "summary" && body.message.of === "compaction";
}

function timeOf(body: Body): number | null {
  return body.known ? body.known.at : body.message.at;
}

/** Index of the first entry whose rows may differ. */
function firstDifference(previous: readonly Entry[], next: readonly Entry[], changes: Changes): number {
  let index = 0;
  while (index < previous.length && previous[index] === next[index] && !next[index]?.items.some((id) => changes.items.has(id))) index += 1;
  return index;
}

function judge(previous: readonly Entry[], bodies: readonly Body[], matches: readonly (Entry | null)[], truncated: boolean): Reconciled {
  const shown = previous.filter((entry) => entry.role !== "notice" && entry.role !== "tool" && !entry.live);
  const comparable = Math.min(shown.length, bodies.length);
  const matched = matches.filter((entry) => entry !== null).length;
  if (comparable === 0 && bodies.length > 0) return "same";
  if (bodies.length === 0) return shown.length === 0 ? "same" : "replaced";
  if (matched >= comparable * SAME_CONVERSATION || (truncated && matched > 0)) return "same";
  if (bodies.some((body, index) => isCompaction(body) && !matches[index])) return "same";
  const first = bodies[0];
  const end = shown.at(-1)?.at ?? null;
  const start = first ? timeOf(first) : null;
  return truncated && end !== null && start !== null && start >= end ? "jumped" : "replaced";
}

/**
 * Agents put the summary of a compaction before the messages that were kept. On screen it belongs where it happened: after
 * everything that is older than it.
 */
function placeSummaries(bodies: readonly Body[]): readonly Body[] {
  const first = bodies[0];
  const made = first && isCompaction(first) ? timeOf(first) : null;
  if (!first || made === null) return bodies;
  const rest = bodies.slice(1);
  let position = 0;
  while (position < rest.length) {
    const body = rest[position];
    const at = body ? timeOf(body) : null;
    if (at === null || at >= made) break;
    position += 1;
  }
  return [...rest.slice(0, position), first, ...rest.slice(position)];
}

/** For each message the entry that is the same message, each entry used once. */
function match(previous: readonly Entry[], bodies: readonly Body[]): (Entry | null)[] {
  if (bodies.every((body) => body.known)) return bodies.map((body) => body.known);

  const byId = new Map<string, Entry>();
  const byRequest = new Map<string, Entry>();
  const byTime = new Map<string, Entry[]>();
  const byTools = new Map<string, Entry>();
  for (const entry of previous) {
    if (entry.messageId) byId.set(`${entry.role}#${entry.messageId}`, entry);
    if (entry.requestId) byRequest.set(entry.requestId, entry);
    if (entry.at !== null) {
      const name = `${entry.role}:${entry.at}`;
      const same = byTime.get(name);
      if (same) same.push(entry);
      else byTime.set(name, [entry]);
    }
    if (entry.toolCalls.length > 0) byTools.set(entry.toolCalls.join("\n"), entry);
  }
  const used = new Set<Entry>(bodies.flatMap((body) => body.known ?? []));
  const claim = (entry: Entry | undefined): Entry | null => {
    if (!entry || used.has(entry)) return null;
    used.add(entry);
    return entry;
  };
  const found = bodies.map((body): Entry | null => {
    if (body.known) return body.known;
    const { message } = body;
    const wanted = entryRole(message);
    const sure =
      (message.id ? claim(byId.get(`${wanted}#${message.id}`)) : null) ??
      (message.role === "user" && message.requestId ? claim(byRequest.get(message.requestId)) : null);
    if (sure) return sure;
    if (message.at !== null) {
      const candidates = (byTime.get(`${wanted}:${message.at}`) ?? []).filter((entry) => !used.has(entry) && compatible(entry, message));
      const alike = message.role === "user" ? candidates.find((entry) => entry.text === message.text) : undefined;
      const timed = claim(alike ?? candidates[0]);
      if (timed) return timed;
    }
    const calls = toolCalls(message);
    return calls.length > 0 ? claim(byTools.get(calls.join("\n"))) : null;
  });
  fillBetween(previous, bodies, found, used);
  return found;
}

/** Two copies of one message may lack an id, but never disagree about it. */
function compatible(entry: Entry, message: Message): boolean {
  return entry.messageId === null || message.id === null || entry.messageId === message.id;
}

/** An assistant message without any name is the only unmatched one between two matched neighbours. */
function fillBetween(previous: readonly Entry[], bodies: readonly Body[], found: (Entry | null)[], used: Set<Entry>): void {
  const position = new Map(previous.map((entry, index) => [entry, index]));
  let before = -1;
  for (let index = 0; index < bodies.length; index += 1) {
    const here = found[index];
    if (here) {
      before = position.get(here) ?? before;
      continue;
    }
    if (bodies[index]?.message?.role !== "assistant" || before < 0) continue;
    const after = found.slice(index + 1).find((entry) => entry !== null);
    const until = after ? (position.get(after) ?? previous.length) : previous.length;
    const between = previous.slice(before + 1, until).filter((entry) => entry.role === "assistant" && !used.has(entry) && entry.at === null);
    const only = between[0];
    if (between.length === 1 && only) {
      found[index] = only;
      used.add(only);
    }
  }
}

function entryRole(message: Message): Entry["role"] {
  return message.role === "toolResult" ? "tool" : message.role;
}

function toolCalls(message: Message): string[] {
  return message.role === "assistant" ? message.blocks.flatMap((block) => (block.kind === "tool" ? block.toolCallId : [])) : [];
}

/** A tool call with its result in the same snapshot is finished, whatever was shown before. */
function settle(transcript: Transcript, item: Item, results: Map<string, ToolResultMessage>): Item {
  if (item.kind !== "tool") return item;
  const result = results.get(item.toolCallId);
  if (!result) {
    // Without a result it is running, unless nothing runs any more.
    return item.state === "preparing" || item.state === "running" ? { ...item, state: transcript.active ? "running" : "stopped" } : item;
  }
  const before = transcript.items.get(item.id);
  transcript.items.set(item.id, item);
  const finished = finishedTool(transcript, result);
  if (before) transcript.items.set(item.id, before);
  else transcript.items.delete(item.id);
  return finished;
}

/** A known call whose result is new, or that nothing runs any more. */
function resettle(transcript: Transcript, toolCallId: string, results: Map<string, ToolResultMessage>, changes: Changes): void {
  const item = transcript.items.get(toolItemId(toolCallId));
  if (!item) return;
  const result = results.get(toolCallId);
  if (result) put(transcript, finishedTool(transcript, result), changes);
  else if (item.kind === "tool" && (item.state === "preparing" || item.state === "running") && !transcript.active) put(transcript, { ...item, state: "stopped" }, changes);
}

export function put(transcript: Transcript, item: Item, changes: Changes): void {
  const before = transcript.items.get(item.id);
  if (before && same(before, item)) return;
  transcript.items.set(item.id, item);
  changes.items.add(item.id);
}

function keepEntry(before: Entry | null, next: Entry): Entry {
  return before && same(before, next) ? before : next;
}

interface WeavePolicy {
  readonly keepOlder: boolean;
  readonly active: boolean;
}

/** `next` in order, with what it does not speak of at its old place: older history, local notices, the message being written. */
function weave(previous: readonly Entry[], next: readonly Entry[], used: ReadonlySet<string>, policy: WeavePolicy): Entry[] {
  const firstKept = previous.findIndex((entry) => used.has(entry.key));
  const result: Entry[] = [];
  const after = new Map<string | null, Entry[]>();
  let anchor: string | null = null;
  let dropped = false;
  previous.forEach((entry, index) => {
    if (used.has(entry.key)) {
      anchor = entry.key;
      return;
    }
    const older = index < firstKept || firstKept < 0;
    // What is being written stands at the end; when finished messages before it are gone, so is its place.
    const keep = entry.role === "notice" ? firstKept >= 0 || policy.keepOlder : entry.live ? policy.active && !dropped : older && policy.keepOlder;
    if (!keep) {
      dropped ||= !older;
      return;
    }
    const list = after.get(anchor);
    if (list) list.push(entry);
    else after.set(anchor, [entry]);
  });
  result.push(...(after.get(null) ?? []));
  for (const entry of next) {
    result.push(entry);
    result.push(...(after.get(entry.key) ?? []));
  }
  return result;
}

/** Results whose call lies before the snapshot's first message still get a row, so that nothing is hidden. */
function adoptOrphanResults(transcript: Transcript, results: Map<string, ToolResultMessage>, changes: Changes): void {
  const owned = new Set(transcript.entries.flatMap((entry) => [...entry.toolCalls]));
  const orphans = [...results.values()].filter((result) => !owned.has(result.toolCallId) && !hasEntry(transcript, result.toolCallId));
  if (orphans.length === 0) return;
  const entries = orphans.map((result): Entry => {
    const item = finishedTool(transcript, result);
    put(transcript, item, changes);
    return toolEntry(result.toolCallId, result.at);
  });
  const position = transcript.entries.findIndex((entry) => entry.role !== "notice");
  transcript.entries.splice(Math.max(position, 0), 0, ...entries);
}

function hasEntry(transcript: Transcript, toolCallId: string): boolean {
  return transcript.entries.some((entry) => entry.key === `tool:${toolCallId}`);
}

export function toolEntry(toolCallId: string, at: number | null): Entry {
  return {
    key: `tool:${toolCallId}`,
    role: "tool",
    messageId: null,
    requestId: null,
    at,
    items: [toolItemId(toolCallId)],
    toolCalls: [toolCallId],
    live: false,
    text: "",
    print: null,
  };
}

/** Rebuild the lookup of tool runs, drop tool entries whose call arrived in a message, forget items nobody shows. */
export function reindex(transcript: Transcript): void {
  const inMessages = new Set(transcript.entries.flatMap((entry) => (entry.role === "assistant" ? [...entry.toolCalls] : [])));
  transcript.entries = transcript.entries.filter((entry) => entry.role !== "tool" || !entry.toolCalls.every((call) => inMessages.has(call)));
  transcript.toolOwner.clear();
  transcript.keys.clear();
  const alive = new Set<string>();
  for (const entry of transcript.entries) {
    transcript.keys.add(entry.key);
    for (const call of entry.toolCalls) transcript.toolOwner.set(call, entry.key);
    for (const id of entry.items) alive.add(id);
  }
  for (const id of transcript.items.keys()) if (!alive.has(id)) transcript.items.delete(id);
  for (const call of transcript.resultPrints.keys()) if (!transcript.toolOwner.has(call)) transcript.resultPrints.delete(call);
}
