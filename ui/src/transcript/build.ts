/** From one message to its items. Item ids follow from the entry's key and the block's kind, so they survive every copy. */

import type { AssistantMessage, Message, ResultBlock, ToolResultMessage } from "./message";
import { same, type JsonObject } from "./json";
import { toolItemId, type Entry, type Item, type ToolItem, type Transcript } from "./model";

export interface BuildOptions {
  /** The message is still being written. */
  readonly live: boolean;
  /** Local clock, for running counts; 0 where nothing is being watched. */
  readonly now: number;
}

/** Items of `message` under `key`, reusing what stands in `transcript`. Tool results have no items of their own. */
export function buildItems(transcript: Transcript, key: string, message: Message, options: BuildOptions): Item[] {
  const { at } = message;
  switch (message.role) {
    case "user":
      return [{ id: key, kind: "user", at, text: message.text, images: message.images, requestId: message.requestId }];
    case "assistant":
      return assistantItems(transcript, key, message, options);
    case "toolResult":
      return [finishedTool(transcript, message)];
    case "shell":
      return [
        {
          id: key,
          kind: "tool",
          at,
          toolCallId: key,
          name: "bash",
          args: { command: message.command },
          state: message.cancelled ? "stopped" : (message.exitCode ?? 0) === 0 ? "done" : "failed",
          content: message.output === "" ? [] : [{ kind: "text", text: message.output }],
          details: { exitCode: message.exitCode, truncated: message.truncated, user: true },
          since: null,
          durationMs: null,
        },
      ];
    case "custom":
      if (!message.display) return [];
      return [{ id: key, kind: "custom", at, customType: message.customType, text: message.text, images: message.images, details: message.details }];
    case "summary":
      return [
        {
          id: key,
          kind: "notice",
          at,
          notice: message.of,
          tone: "quiet",
          text: message.of === "compaction" ? "Context compacted" : "Returned from another branch",
          detail: message.text,
          tokensBefore: message.tokensBefore,
        },
      ];
    case "unknown":
      return [{ id: key, kind: "unknown", at, name: message.name, raw: message.raw }];
  }
}

function assistantItems(transcript: Transcript, key: string, message: AssistantMessage, options: BuildOptions): Item[] {
  const items: Item[] = [];
  const counts = new Map<string, number>();
  const nextId = (kind: string): string => {
    const ordinal = counts.get(kind) ?? 0;
    counts.set(kind, ordinal + 1);
    return `${key}/${kind}${ordinal}`;
  };
  const { at } = message;
  const last = message.blocks.length - 1;
  message.blocks.forEach((block, index) => {
    const live = options.live && index === last;
    switch (block.kind) {
      case "text": {
        const id = nextId("text");
        if (block.text !== "") items.push({ id, kind: "text", at, text: block.text, live });
        break;
      }
      case "thinking": {
        const id = nextId("think");
        const before = transcript.items.get(id);
        const known = before?.kind === "thinking" ? before : null;
        const since = live ? (known?.since ?? options.now) : null;
        const measured = known?.since && !live && options.now > 0 ? Math.max(1, Math.ceil((options.now - known.since) / 1000)) : null;
        const seconds = block.seconds ?? known?.seconds ?? measured;
        if (block.text.trim() === "" && !live && seconds === null) break;
        items.push({ id, kind: "thinking", at, text: block.text, hidden: block.hidden, seconds, since, live });
        break;
      }
      case "tool":
        items.push(calledTool(transcript, block.toolCallId, block.name, block.args, at, options.live));
        break;
      case "image":
        items.push({ id: nextId("image"), kind: "image", at, images: [block.image] });
        break;
      case "search":
        items.push({ id: nextId("search"), kind: "search", at, query: block.query, hits: block.hits });
        break;
      case "unknown":
        items.push({ id: nextId("unknown"), kind: "unknown", at, name: "block", raw: block.raw });
        break;
    }
  });
  if (!options.live) items.push(...ending(key, message));
  return items;
}

function ending(key: string, message: AssistantMessage): Item[] {
  const common = { id: `${key}/end`, kind: "notice", at: message.at, tokensBefore: null } as const;
  switch (message.stopReason) {
    case "error":
      return [{ ...common, notice: "error", tone: "error", text: "The model's answer failed", detail: message.errorMessage }];
    case "aborted":
      return [{ ...common, notice: "aborted", tone: "quiet", text: "Stopped", detail: message.errorMessage }];
    case "length":
      return [{ ...common, notice: "length", tone: "warning", text: "The answer reached the model's length limit", detail: null }];
    default:
      return [];
  }
}

function calledTool(transcript: Transcript, toolCallId: string, name: string, args: JsonObject, at: number | null, live: boolean): ToolItem {
  const id = toolItemId(toolCallId);
  const before = transcript.items.get(id);
  if (before?.kind === "tool") {
    const fresh = Object.keys(args).length > 0 ? args : before.args;
    const state = before.state === "preparing" && !live ? "running" : before.state;
    return { ...before, at: before.at ?? at, name, args: same(fresh, before.args) ? before.args : fresh, state };
  }
  return {
    id,
    kind: "tool",
    at,
    toolCallId,
    name,
    args,
    state: live ? "preparing" : "running",
    content: [],
    details: null,
    since: null,
    durationMs: null,
  };
}

/** The tool item after its result message came. */
export function finishedTool(transcript: Transcript, message: ToolResultMessage): ToolItem {
  const id = toolItemId(message.toolCallId);
  const before = transcript.items.get(id);
  const known = before?.kind === "tool" ? before : null;
  return {
    id,
    kind: "tool",
    at: known?.at ?? message.at,
    toolCallId: message.toolCallId,
    name: known?.name ?? message.name,
    args: known?.args ?? {},
    state: outcome(message.isError, message.content),
    content: message.content,
    details: message.details ?? known?.details ?? null,
    since: null,
    durationMs: known?.durationMs ?? durationOf(message.details),
  };
}

/** A tool that a person stopped is not a failure of the tool. */
export function outcome(isError: boolean, content: readonly ResultBlock[]): "done" | "failed" | "stopped" {
  if (!isError) return "done";
  const first = content[0];
  return first?.kind === "text" && /^(aborted|operation aborted|command aborted|cancelled|canceled)\b/i.test(first.text.trim()) ? "stopped" : "failed";
}

function durationOf(details: unknown): number | null {
  if (typeof details !== "object" || details === null || !("durationMs" in details)) return null;
  return typeof details.durationMs === "number" ? details.durationMs : null;
}

export function entryOf(key: string, message: Exclude<Message, ToolResultMessage>, items: readonly Item[], live: boolean, print: string | null = null): Entry {
  return {
    key,
    role: message.role,
    messageId: message.id,
    requestId: message.role === "user" ? message.requestId : null,
    at: message.at,
    items: items.map((item) => item.id),
    toolCalls: message.role === "assistant" ? message.blocks.flatMap((block) => (block.kind === "tool" ? block.toolCallId : [])) : [],
    live,
    text: message.role === "user" ? message.text : "",
    print,
  };
}

/** Key of a message nobody has seen before; the same for every copy of it. `taken` tells same-time messages apart. */
export function freshKey(message: Message, taken: (key: string) => boolean): string {
  const role = message.role;
  const base =
    role === "user" && message.requestId
      ? `user:${message.requestId}`
      : role === "toolResult"
        ? `tool:${message.toolCallId}`
        : message.at !== null
          ? `${role}:${message.at}`
          : message.id
            ? `${role}#${message.id}`
            : `${role}:?`;
  if (!taken(base)) return base;
  let ordinal = 2;
  while (taken(`${base}~${ordinal}`)) ordinal += 1;
  return `${base}~${ordinal}`;
}

