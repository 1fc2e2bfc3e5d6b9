import { isObject } from "@/data/storage";

/** The machine's usage report, checked once; anything malformed is an error on the page, not a crash in a chart. */
export interface UsageReport {
  generatedAt: number;
  summary: { totalSessions: number; totalCost: number; inputTokens: number; outputTokens: number; cacheReadTokens: number; cacheWriteTokens: number; sessionsWithCost: number };
  daily: { date: string; cost: number; costInput: number; costOutput: number; costCacheRead: number; costCacheWrite: number; inputTokens: number; outputTokens: number; cacheTokens: number; sessions: number }[];
  byModel: { name: string; sessions: number; cost: number; tokens: number }[];
  byProject: { name: string; sessions: number; cost: number; tokens: number }[];
  recent: { id: string; name: string; project: string; startedAt: number; messages: number; cost: number | null; model: string }[];
}

function number(value: unknown, key: string): number {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === "number" && Number.isFinite(found) ? found : 0;
}
function text(value: unknown, key: string): string {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === "string" ? found : "";
}
function time(value: unknown, key: string): number {
  const found = isObject(value) ? value[key] : undefined;
  if (typeof found === "number") return found;
  return typeof found === "string" ? Date.parse(found) || 0 : 0;
}
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export function readUsage(value: unknown): UsageReport | undefined {
  if (!isObject(value) || !isObject(value["summary"]) || !Array.isArray(value["daily"])) return undefined;
  const summary = value["summary"];
  return {
    generatedAt: time(value, "generatedAt"),
    summary: {
      totalSessions: number(summary, "totalSessions"),
      totalCost: number(summary, "totalCost"),
      inputTokens: number(summary, "totalInputTokens"),
      outputTokens: number(summary, "totalOutputTokens"),
      cacheReadTokens: number(summary, "totalCacheReadTokens"),
      cacheWriteTokens: number(summary, "totalCacheWriteTokens"),
      sessionsWithCost: number(summary, "sessionsWithCost"),
    },
    daily: value["daily"].map((day) => ({
      date: text(day, "date"),
      cost: number(day, "cost"),
      costInput: number(day, "costInput"),
      costOutput: number(day, "costOutput"),
      costCacheRead: number(day, "costCacheRead"),
      costCacheWrite: number(day, "costCacheWrite"),
      inputTokens: number(day, "inputTokens"),
      outputTokens: number(day, "outputTokens"),
      cacheTokens: number(day, "cacheReadTokens") + number(day, "cacheWriteTokens"),
      sessions: number(day, "sessions"),
    })),
    byModel: list(value["byModel"]).map((row) => ({ name: text(row, "model") || "Unknown", sessions: number(row, "sessions"), cost: number(row, "cost"), tokens: number(row, "inputTokens") + number(row, "outputTokens") })),
    byProject: list(value["byProject"]).map((row) => ({
      name: text(row, "projectShort") || text(row, "project") || "Unknown",
      sessions: number(row, "sessions"),
      cost: number(row, "cost"),
      tokens: number(row, "inputTokens") + number(row, "outputTokens"),
    })),
    recent: list(value["recentSessions"]).map((row) => ({
      id: text(row, "id"),
      name: text(row, "sessionName") || `Session in ${text(row, "projectShort") || "?"}`,
      project: text(row, "projectShort") || text(row, "project"),
      startedAt: time(row, "startedAt"),
      messages: number(row, "messageCount"),
      cost: isObject(row) && typeof row["totalCost"] === "number" ? row["totalCost"] : null,
      model: text(row, "primaryModel"),
    })),
  };
}
