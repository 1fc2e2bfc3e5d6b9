/**
 * Messages as the transcript reads them: one shape for what agents of any age send.
 * Unknown roles and blocks are kept raw, so that nothing an agent said is hidden.
 */

import { flag, isObject, list, number, object, same, stringify, text, time, words, type JsonObject } from "./json";

export interface ImageRef {
  /** `data:` or same-origin address; `null` when the picture cannot be shown. */
  readonly src: string | null;
  readonly mime: string;
  readonly alt: string;
  readonly width: number | null;
  readonly height: number | null;
}

export interface SearchHit {
  readonly title: string;
  readonly url: string;
}

export type Block =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thinking"; readonly text: string; readonly hidden: boolean; readonly seconds: number | null }
  | { readonly kind: "tool"; readonly toolCallId: string; readonly name: string; readonly args: JsonObject }
  | { readonly kind: "image"; readonly image: ImageRef }
  | { readonly kind: "search"; readonly query: string | null; readonly hits: readonly SearchHit[] }
  | { readonly kind: "unknown"; readonly raw: unknown };

/** What a tool answered with. */
export type ResultBlock =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly image: ImageRef }
  | { readonly kind: "unknown"; readonly raw: unknown };

interface Common {
  readonly id: string | null;
  /** Milliseconds; the same in every copy of a message. */
  readonly at: number | null;
}

export interface UserMessage extends Common {
  readonly role: "user";
  /** Names the command that brought it, when the agent says so. */
  readonly requestId: string | null;
  readonly text: string;
  readonly images: readonly ImageRef[];
}

export interface AssistantMessage extends Common {
  readonly role: "assistant";
  readonly blocks: readonly Block[];
  readonly model: string | null;
  readonly stopReason: string | null;
  readonly errorMessage: string | null;
}

export interface ToolResultMessage extends Common {
  readonly role: "toolResult";
  readonly toolCallId: string;
  readonly name: string;
  readonly content: readonly ResultBlock[];
  readonly details: unknown;
  readonly isError: boolean;
}

export interface ShellMessage extends Common {
  readonly role: "shell";
  readonly command: string;
  readonly output: string;
  readonly exitCode: number | null;
  readonly cancelled: boolean;
  readonly truncated: boolean;
}

export interface CustomMessage extends Common {
  readonly role: "custom";
  readonly customType: string;
  readonly text: string;
  readonly images: readonly ImageRef[];
  readonly display: boolean;
  readonly details: unknown;
}

export interface SummaryMessage extends Common {
  readonly role: "summary";
  readonly of: "compaction" | "branch";
  readonly text: string;
  readonly tokensBefore: number | null;
}

export interface UnknownMessage extends Common {
  readonly role: "unknown";
  readonly name: string;
  readonly raw: unknown;
}

export type Message =
  | UserMessage
  | AssistantMessage
  | ToolResultMessage
  | ShellMessage
  | CustomMessage
  | SummaryMessage
  | UnknownMessage;

export function parseMessage(value: unknown): Message | null {
  const raw = object(value);
  const role = raw && text(raw["role"]);
  if (!raw || !role) return null;
  const common = { id: words(raw["id"]), at: time(raw["timestamp"]) };
  switch (role) {
    case "user": {
      const { text: said, images } = prose(raw["content"]);
      return { ...common, role: "user", requestId: requestIdOf(raw), text: said, images };
    }
    case "assistant":
      return {
        ...common,
        role: "assistant",
        blocks: contentBlocks(raw["content"]),
        model: words(raw["model"]),
        stopReason: words(raw["stopReason"]),
        errorMessage: words(raw["errorMessage"]),
      };
    case "toolResult":
    case "tool_result":
    case "toolresult": {
      const toolCallId = words(raw["toolCallId"]);
      if (!toolCallId) return { ...common, role: "unknown", name: role, raw };
      return {
        ...common,
        role: "toolResult",
        toolCallId,
        name: words(raw["toolName"]) ?? "tool",
        content: resultBlocks(raw["content"]),
        details: raw["details"] ?? null,
        isError: flag(raw["isError"]) ?? false,
      };
    }
    case "bashExecution":
      return {
        ...common,
        role: "shell",
        command: text(raw["command"]) ?? "",
        output: text(raw["output"]) ?? "",
        exitCode: number(raw["exitCode"]),
        cancelled: flag(raw["cancelled"]) ?? false,
        truncated: flag(raw["truncated"]) ?? false,
      };
    case "custom": {
      const { text: said, images } = prose(raw["content"]);
      return {
        ...common,
        role: "custom",
        customType: words(raw["customType"]) ?? "custom",
        text: said,
        images,
        display: flag(raw["display"]) ?? true,
        details: raw["details"] ?? null,
      };
    }
    case "compactionSummary":
    case "branchSummary":
      return {
        ...common,
        role: "summary",
        of: role === "compactionSummary" ? "compaction" : "branch",
        text: text(raw["summary"]) ?? "",
        tokensBefore: number(raw["tokensBefore"]),
      };
    default:
      return { ...common, role: "unknown", name: role, raw };
  }
}

export function parseMessages(value: unknown): Message[] {
  return list(value).flatMap((entry) => parseMessage(entry) ?? []);
}

function requestIdOf(raw: JsonObject): string | null {
  return words(raw["commandId"]) ?? words(raw["requestId"]);
}

function prose(content: unknown): { text: string; images: ImageRef[] } {
  if (typeof content === "string") return { text: content, images: [] };
  const parts: string[] = [];
  const images: ImageRef[] = [];
  for (const entry of list(content)) {
    if (!isObject(entry)) continue;
    if (entry["type"] === "image") images.push(imageRef(entry));
    else if (typeof entry["text"] === "string") parts.push(entry["text"]);
  }
  return { text: parts.join("\n\n"), images };
}

function contentBlocks(content: unknown): Block[] {
  if (typeof content === "string") return [{ kind: "text", text: content }];
  return list(content).map(contentBlock);
}

function contentBlock(value: unknown): Block {
  const raw = object(value);
  if (!raw) return { kind: "unknown", raw: value };
  switch (raw["type"]) {
    case "text": {
      const search = object(raw["_serverToolUse"]);
      if (search) return { kind: "search", query: words(object(search["input"])?.["query"]), hits: [] };
      const found = object(raw["_webSearchResult"]);
      if (found) return { kind: "search", query: null, hits: list(found["content"]).flatMap(searchHit) };
      return { kind: "text", text: text(raw["text"]) ?? "" };
    }
    case "thinking":
      return {
        kind: "thinking",
        text: text(raw["thinking"]) ?? "",
        hidden: flag(raw["redacted"]) ?? false,
        seconds: number(raw["durationSeconds"]),
      };
    case "toolCall": {
      const toolCallId = words(raw["toolCallId"]) ?? words(raw["id"]);
      if (!toolCallId) return { kind: "unknown", raw };
      return { kind: "tool", toolCallId, name: words(raw["name"]) ?? "tool", args: object(raw["arguments"]) ?? {} };
    }
    case "image":
      return { kind: "image", image: imageRef(raw) };
    default:
      return { kind: "unknown", raw };
  }
}

function searchHit(value: unknown): SearchHit[] {
  const raw = object(value);
  const url = raw && words(raw["url"]);
  return url ? [{ url, title: words(raw["title"]) ?? url }] : [];
}

export function resultBlocks(content: unknown): ResultBlock[] {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "text", text: content }];
  return list(content).map((value): ResultBlock => {
    const raw = object(value);
    if (raw?.["type"] === "text") return { kind: "text", text: text(raw["text"]) ?? "" };
    if (raw?.["type"] === "image") return { kind: "image", image: imageRef(raw) };
    return { kind: "unknown", raw: value };
  });
}

const PICTURE = /^image\/(png|jpe?g|gif|webp|bmp|avif|svg\+xml)$/;

/** Pictures come inline, as an attachment of the relay, or not at all; other addresses are never loaded. */
function imageRef(raw: JsonObject): ImageRef {
  const source = object(raw["source"]);
  const mime =
    words(raw["mimeType"]) ?? words(raw["mime"]) ?? words(source?.["media_type"]) ?? words(source?.["mediaType"]) ?? "image/png";
  const data = words(raw["data"]) ?? words(source?.["data"]);
  const url = words(source?.["url"]) ?? words(raw["url"]);
  return {
    src: pictureAddress(data, url, mime),
    mime,
    alt: words(raw["alt"]) ?? words(raw["filename"]) ?? words(raw["path"])?.split(/[\\/]/).at(-1) ?? "Image",
    width: number(raw["width"]) ?? number(raw["pixelWidth"]),
    height: number(raw["height"]) ?? number(raw["pixelHeight"]),
  };
}

function pictureAddress(data: string | null, url: string | null, mime: string): string | null {
  if (data) {
    if (data.startsWith("data:")) return data.startsWith("data:image/") ? data : null;
    return PICTURE.test(mime) ? `data:${mime};base64,${data}` : null;
  }
  if (!url) return null;
  return url.startsWith("/api/attachments/") || url.startsWith("data:image/") ? url : null;
}

export function plainText(content: readonly ResultBlock[]): string {
  return content
    .map((block) => (block.kind === "text" ? block.text : block.kind === "unknown" ? stringify(block.raw, 2) : ""))
    .filter((part) => part !== "")
    .join("\n");
}

export function sameContent(left: readonly ResultBlock[], right: readonly ResultBlock[]): boolean {
  return same(left, right);
}


/**
 * What tells two copies of a message apart without reading them: name, time, and how much of what they hold. Messages never
 * change once they are finished, so equal prints mean equal messages.
 */
export function fingerprint(value: unknown): string | null {
  const raw = object(value);
  if (!raw || typeof raw["role"] !== "string") return null;
  const at = raw["timestamp"];
  const id = raw["id"] ?? raw["toolCallId"];
  if (typeof at !== "number" && typeof id !== "string") return null;
  const named = String(raw["commandId"] ?? raw["requestId"] ?? "");
  return `${raw["role"]}|${String(id ?? "")}|${String(at ?? "")}|${named}|${String(raw["stopReason"] ?? raw["isError"] ?? "")}|${bulk(raw["content"] ?? raw["summary"] ?? raw["output"])}|${bulk(raw["details"])}|${bulk(raw["errorMessage"])}`;
}

/** A number for the amount and kind of content. */
function bulk(value: unknown, depth = 0): number {
  if (typeof value === "string") return value.length + 1;
  if (typeof value === "number") return value % 1_000_003;
  if (typeof value !== "object" || value === null) return value === true ? 2 : 3;
  if (depth > 6) return 5;
  let sum = 7;
  for (const key in value) sum = (sum * 31 + key.length + bulk(Reflect.get(value, key), depth + 1)) % 4_294_967_291;
  return sum;
}
