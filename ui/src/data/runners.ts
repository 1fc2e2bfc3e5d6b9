import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { api } from "@/net/api";
import { serverNow } from "@/net/clock";
import { runnersChannel } from "@/net/manager";
import type { RunnerInfo } from "@/protocol/wire";
import { isObject, load, save } from "./storage";

export interface RunnerRow {
  id: string;
  info: RunnerInfo;
  online: boolean;
  /** Unix ms; when it was last known to be there. */
  seenAt: number;
}

export interface RunnersState {
  phase: "loading" | "ready" | "stale";
  runners: ReadonlyMap<string, RunnerRow>;
}

/** Ask over HTTP when the socket brought no list in this time, ms. */
const FALLBACK_MS = 1_500;
/** An offline machine stays listed this long, ms. */
const KEEP_OFFLINE_MS = 30 * 24 * 3_600_000;

export const runners = createStore<RunnersState>(() => ({ phase: "loading", runners: new Map() }));

function isRunner(value: unknown): value is RunnerInfo {
  return isObject(value) && typeof value["runnerId"] === "string" && Array.isArray(value["roots"]);
}

function rowOf(info: RunnerInfo): RunnerRow {
  const seen = info.lastSeenAt ? Date.parse(info.lastSeenAt) : NaN;
  const online = info.status !== "offline";
  return { id: info.runnerId, info, online, seenAt: online || !Number.isFinite(seen) ? serverNow() : seen };
}

function applyList(list: readonly RunnerInfo[]): void {
  const next = new Map<string, RunnerRow>();
  for (const row of runners.getState().runners.values()) if (serverNow() - row.seenAt < KEEP_OFFLINE_MS) next.set(row.id, { ...row, online: false });
  for (const info of list) if (isRunner(info)) next.set(info.runnerId, rowOf(info));
  runners.setState({ phase: "ready", runners: next });
  remember();
}

function upsert(info: RunnerInfo): void {
  if (!isRunner(info)) return;
  runners.setState(({ runners: before }) => ({ runners: new Map(before).set(info.runnerId, rowOf(info)) }));
  remember();
}

function remove(id: string): void {
  const row = runners.getState().runners.get(id);
  if (!row) return;
  runners.setState(({ runners: before }) => ({ runners: new Map(before).set(id, { ...row, online: false, seenAt: serverNow() }) }));
  remember();
}

/** Drop a machine from the list of this device. */
export function forgetRunner(id: string): void {
  const next = new Map(runners.getState().runners);
  next.delete(id);
  runners.setState({ runners: next });
  remember();
}

function remember(): void {
  save(
    "runners",
    [...runners.getState().runners.values()].map(({ info, seenAt }) => ({ seenAt, info: { ...info, skills: [], agents: [], plugins: [], hooks: [] } })),
  );
}

function restore(): void {
  const stored = load("runners", (value) => (Array.isArray(value) ? value : undefined)) ?? [];
  const next = new Map<string, RunnerRow>();
  for (const entry of stored) {
    if (!isObject(entry) || !isRunner(entry["info"])) continue;
    const seenAt = typeof entry["seenAt"] === "number" ? entry["seenAt"] : 0;
    if (serverNow() - seenAt < KEEP_OFFLINE_MS) next.set(entry["info"].runnerId, { id: entry["info"].runnerId, info: entry["info"], online: false, seenAt });
  }
  runners.setState({ phase: "loading", runners: next });
}

/** The feed knows who is connected; machines that are away but known come over HTTP. */
async function readAway(): Promise<void> {
  try {
    const { runners: list } = await api.get<{ runners: RunnerInfo[] }>("/api/runners");
    const next = new Map(runners.getState().runners);
    for (const info of list) if (isRunner(info) && info.status === "offline" && !next.get(info.runnerId)?.online) next.set(info.runnerId, rowOf(info));
    runners.setState({ runners: next });
    remember();
  } catch {
    // Those that are here stand without them; the next connect asks again.
  }
}

/** Newest change of the feed that is applied here; a gap means that something was missed. */
let revision: number | undefined;

function inOrder<T extends { revision?: number }>(apply: (payload: T) => void): (payload: T) => void {
  return (payload) => {
    const next = payload.revision;
    if (next !== undefined && revision !== undefined && next > revision + 1) runnersChannel.emit("refresh", { have: revision });
    if (next !== undefined) revision = Math.max(revision ?? 0, next);
    apply(payload);
  };
}

export function startRunners(): () => void {
  restore();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stops = [
    runnersChannel.onConnect(() => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        try {
          applyList((await api.get<{ runners: RunnerInfo[] }>("/api/runners")).runners);
        } catch {
          // The feed's own list is still expected.
        }
      }, FALLBACK_MS);
    }),
    runnersChannel.onDisconnect(() => {
      clearTimeout(timer);
      runners.setState(({ phase }) => ({ phase: phase === "ready" ? "stale" : phase }));
    }),
    runnersChannel.on("runners", ({ runners: list, revision: at }) => {
      clearTimeout(timer);
      revision = at;
      applyList(Array.isArray(list) ? list : []);
      void readAway();
    }),
    runnersChannel.on("runner_added", inOrder<RunnerInfo & { revision?: number }>(upsert)),
    runnersChannel.on("runner_updated", inOrder<RunnerInfo & { revision?: number }>(upsert)),
    runnersChannel.on("runner_removed", inOrder(({ runnerId }) => remove(runnerId))),
  ];
  return () => {
    clearTimeout(timer);
    for (const stop of stops) stop();
    runners.setState({ phase: "loading", runners: new Map() });
  };
}

export function runnerName(info: Pick<RunnerInfo, "name" | "runnerId">): string {
  return info.name ?? info.runnerId.slice(0, 8);
}

export function useRunner(id: string | null | undefined): RunnerRow | undefined {
  return useStore(runners, (state) => (id ? state.runners.get(id) : undefined));
}

export function useRunners(): { phase: RunnersState["phase"]; list: RunnerRow[] } {
  const state = useStore(runners);
  return {
    phase: state.phase,
    list: [...state.runners.values()].sort((a, b) => Number(b.online) - Number(a.online) || runnerName(a.info).localeCompare(runnerName(b.info))),
  };
}
