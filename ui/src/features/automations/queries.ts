import { queryOptions } from "@tanstack/react-query";
import { isObject } from "@/data/storage";
import { api, url } from "@/net/api";
import type { ServiceTriggerDef } from "@/protocol/wire";

export interface Listener {
  id: string;
  triggerType: string;
  prompt: string | undefined;
  cwd: string | undefined;
  params: Record<string, unknown>;
}

export interface Schedule {
  id: string;
  triggerType: string;
  params: Record<string, unknown>;
  sessionId: string;
  sessionName: string | undefined;
  cwd: string | undefined;
  live: boolean;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
function list(value: unknown, key: string): Record<string, unknown>[] {
  const found = isObject(value) ? value[key] : undefined;
  return Array.isArray(found) ? found.filter(isObject) : [];
}

/** What can start a session on a machine, and what does. */
export const triggersQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "triggers"],
    queryFn: async ({ signal }) => {
      const body = await api.get<unknown>(url(["api", "runners", runnerId, "triggers"]), { signal });
      return {
        defs: list(body, "triggerDefs").filter((def): def is Record<string, unknown> & ServiceTriggerDef => typeof def["type"] === "string" && typeof def["label"] === "string"),
        listeners: list(body, "listeners").flatMap((entry): Listener[] => {
          const id = text(entry["listenerId"]);
          const triggerType = text(entry["triggerType"]);
          return id && triggerType ? [{ id, triggerType, prompt: text(entry["prompt"]), cwd: text(entry["cwd"]), params: isObject(entry["params"]) ? entry["params"] : {} }] : [];
        }),
      };
    },
  });

export const schedulesQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "schedules"],
    queryFn: async ({ signal }) =>
      list(await api.get<unknown>(url(["api", "runners", runnerId, "schedules"]), { signal }), "schedules").flatMap((entry): Schedule[] => {
        const id = text(entry["subscriptionId"]);
        const triggerType = text(entry["triggerType"]);
        const sessionId = text(entry["sessionId"]);
        return id && triggerType && sessionId
          ? [{ id, triggerType, sessionId, params: isObject(entry["params"]) ? entry["params"] : {}, sessionName: text(entry["sessionName"]), cwd: text(entry["cwd"]), live: entry["sessionLive"] === true }]
          : [];
      }),
  });

/** "every day at 07:30 UTC" from the parameters of a schedule, as far as they say it. */
export function when(triggerType: string, params: Record<string, unknown>): string {
  const { cron, at, duration } = params;
  if (typeof duration === "string") return `once, after ${duration}`;
  if (typeof at === "string") {
    const time = Date.parse(at);
    return `once, ${Number.isFinite(time) ? new Date(time).toLocaleString() : at}`;
  }
  if (typeof cron === "string") return cronWords(cron);
  return triggerType;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** The common shapes of a five-field schedule in words, the rest as it is. */
export function cronWords(cron: string): string {
  const [minute, hour, day, month, weekday, ...rest] = cron.trim().split(/\s+/);
  if (minute === undefined || weekday === undefined || rest.length > 0) return cron;
  const step = /^\*\/(\d+)$/.exec(minute);
  const everyDate = day === "*" && month === "*";
  if (step && hour === "*" && everyDate && weekday === "*") return `every ${step[1]} minutes`;
  if (!/^\d+$/.test(minute)) return `at ${cron} (UTC)`;
  if (hour === "*" && everyDate && weekday === "*") return minute === "0" ? "every hour" : `every hour at minute ${minute}`;
  if (hour === undefined || !/^\d+$/.test(hour)) return `at ${cron} (UTC)`;
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")} UTC`;
  if (everyDate && weekday === "*") return `every day at ${time}`;
  if (everyDate && weekday === "1-5") return `on working days at ${time}`;
  const name = everyDate && /^[0-7]$/.test(weekday) ? DAYS[Number(weekday) % 7] : undefined;
  return name ? `every ${name} at ${time}` : `at ${cron} (UTC)`;
}
