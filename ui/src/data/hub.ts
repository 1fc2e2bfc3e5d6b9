import { useMemo } from "react";
import { useStore } from "zustand";
import { useShallow } from "zustand/react/shallow";
import { createStore } from "zustand/vanilla";
import { api } from "@/net/api";
import { serverNow } from "@/net/clock";
import { hubChannel } from "@/net/manager";
import { decodeDecision, decodeMeta, decodeSession, EMPTY_META, metaPatch } from "@/protocol/decode";
import type { Decision, DecisionOutcome, HubMetaEvent, PersistedSession, SessionInfo, SessionMetaState, SessionSpawn, SessionStatus } from "@/protocol/wire";
import { decisionsOf, type OpenDecision } from "./attention";
import { isObject, load, save } from "./storage";
import { unread } from "./unread";

export interface SessionRow {
  id: string;
  info: SessionInfo;
  /** Undefined until the first snapshot after a connect. */
  meta: SessionMetaState | undefined;
  /** The agent's process is connected to the relay. */
  live: boolean;
  pinned: boolean;
  /** Relay time of the last sign of life, Unix ms. */
  heardAt: number;
  /** When the row last changed in a way that reorders the list: the person's own message, or a change of state. */
  touchedAt: number;
  /** First words of the prompt it was started with here; its name until it has one. */
  hint: string | undefined;
  /** The last run ended with an error that nobody retries. */
  failed: string | undefined;
}

export interface HubState {
  /** loading: nothing yet; ready: a snapshot of this connection is in; stale: showing what the last connection said. */
  phase: "loading" | "ready" | "stale";
  sessions: ReadonlyMap<string, SessionRow>;
  decisions: ReadonlyMap<string, Decision>;
  /** How decisions that were on screen ended, for the card that says so. Newest last, bounded. */
  ended: ReadonlyMap<string, DecisionOutcome>;
  /** Sessions asked for with a spawn that have not appeared yet. */
  starting: ReadonlyMap<string, StartingSession>;
}

export interface StartingSession {
  sessionId: string;
  runnerId: string;
  runnerName: string | null;
  cwd: string;
  prompt: string;
  since: number;
  /** Why it did not come to be. */
  failed?: string;
}

/** Ask over HTTP when the socket brought no list in this time, ms. */
const FALLBACK_MS = 1_200;

export const hub = createStore<HubState>(() => ({ phase: "loading", sessions: new Map(), decisions: new Map(), ended: new Map(), starting: new Map() }));

/** When a session was last touched, over reloads, so that the list keeps its order. Bounded. */
const TOUCHED_KEEP = 400;
const touched = new Map<string, number>(
  Object.entries(load("touched", (value) => (isObject(value) ? value : undefined)) ?? {}).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
);

function rememberTouch(id: string, at: number): void {
  touched.delete(id);
  touched.set(id, at);
  for (const oldest of touched.keys()) {
    if (touched.size <= TOUCHED_KEEP) break;
    touched.delete(oldest);
  }
  save("touched", Object.fromEntries(touched));
}

/** What sessions were started with from this browser, over reloads. Bounded. */
const HINTS_KEEP = 100;
const hints = new Map<string, string>(
  Object.entries(load("hints", (value) => (isObject(value) ? value : undefined)) ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
);

function rememberHint(id: string, prompt: string): void {
  const words = prompt.trim().split("\n")[0]?.slice(0, 80);
  if (!words) return;
  hints.set(id, words);
  for (const oldest of hints.keys()) {
    if (hints.size <= HINTS_KEEP) break;
    hints.delete(oldest);
  }
  save("hints", Object.fromEntries(hints));
}

function update(id: string, change: (row: SessionRow) => SessionRow): void {
  const { sessions } = hub.getState();
  const row = sessions.get(id);
  if (!row) return;
  const next = change(row);
  if (next === row) return;
  hub.setState({ sessions: new Map(sessions).set(id, next) });
}

/** The person did something in this session: it moves to the top of its group. */
export function touch(id: string): void {
  const at = serverNow();
  rememberTouch(id, at);
  update(id, (row) => ({ ...row, touchedAt: at }));
}

/** The transcript on screen knows how the last run ended; the hub's feed does not say. */
export function markFailed(id: string, reason: string | undefined): void {
  update(id, (row) => (row.failed === reason ? row : { ...row, failed: reason, ...(reason ? { touchedAt: serverNow() } : {}) }));
}

function rowOf(info: SessionInfo, before: SessionRow | undefined, live: boolean): SessionRow {
  const heard = info.lastHeartbeatAt ? Date.parse(info.lastHeartbeatAt) : NaN;
  const started = Date.parse(info.lastInputAt ?? info.startedAt);
  return {
    id: info.sessionId,
    info,
    meta: before?.meta,
    live,
    pinned: info.isPinned ?? before?.pinned ?? false,
    // A row in a fresh list is alive at this moment by the relay's word; silence counts from here.
    heardAt: Math.max(Number.isFinite(heard) ? heard : 0, before?.heardAt ?? 0, live ? serverNow() : 0),
    touchedAt: Math.max(before?.touchedAt ?? 0, touched.get(info.sessionId) ?? 0, Number.isFinite(started) ? started : 0),
    hint: hints.get(info.sessionId),
    failed: before?.failed,
  };
}

/** Replace the list by what the relay says; ended pinned sessions stay. */
export function applyList(entries: readonly unknown[]): void {
  const { sessions: before, starting } = hub.getState();
  const sessions = new Map<string, SessionRow>();
  for (const entry of entries) {
    const info = decodeSession(entry);
    // Versions may have restarted while we were away: what is known of the meta state is shown, but not compared with.
    if (info) sessions.set(info.sessionId, { ...rowOf(info, before.get(info.sessionId), true), meta: before.get(info.sessionId)?.meta });
  }
  for (const row of before.values()) if (row.pinned && !sessions.has(row.id)) sessions.set(row.id, { ...row, live: false, meta: undefined });
  hub.setState({ phase: "ready", sessions, starting: without(starting, sessions.keys()) });
  saveList();
}

export function applyPinned(pins: readonly PersistedSession[]): void {
  const sessions = new Map(hub.getState().sessions);
  for (const [id, row] of sessions) if (row.pinned !== pins.some((pin) => pin.sessionId === id)) sessions.set(id, { ...row, pinned: !row.pinned });
  for (const pin of pins) {
    if (sessions.has(pin.sessionId)) continue;
    const info: SessionInfo = { ...pin, isActive: false, lastHeartbeatAt: null, model: null, isPinned: true };
    sessions.set(pin.sessionId, { ...rowOf(info, undefined, false), touchedAt: Date.parse(pin.lastActiveAt) || 0 });
  }
  for (const [id, row] of sessions) if (!row.live && !row.pinned) sessions.delete(id);
  hub.setState({ sessions });
  saveList();
}

export function applyAdded(value: unknown): void {
  const info = decodeSession(value);
  if (!info) return;
  const { sessions, starting } = hub.getState();
  const before = sessions.get(info.sessionId);
  if (before?.live) return;
  const at = serverNow();
  hub.setState({
    sessions: new Map(sessions).set(info.sessionId, { ...rowOf(info, before, true), touchedAt: at, failed: undefined }),
    starting: without(starting, [info.sessionId]),
  });
  hubChannel.emit("subscribe_session_meta", { sessionId: info.sessionId });
  saveList();
}

export function applyRemoved(id: string): void {
  const { sessions, decisions } = hub.getState();
  const row = sessions.get(id);
  if (!row) return;
  const next = new Map(sessions);
  if (row.pinned) next.set(id, { ...row, live: false, meta: undefined, info: { ...row.info, isActive: false } });
  else next.delete(id);
  hub.setState({ sessions: next, decisions: new Map([...decisions].filter(([, decision]) => decision.sessionId !== id)) });
  versions.delete(id);
  saveList();
}

/** Members that no row shows as they come: who was heard when, and the feed's own counter. */
const QUIET = new Set(["lastHeartbeatAt", "lights", "revision", "viewerCount"]);

function isQuiet(info: SessionInfo, patch: SessionStatus): boolean {
  const states = (lights: SessionInfo["lights"]) => (lights ? [lights.relay, lights.machine, lights.agent, lights.model].map((light) => light.state).join() : "");
  if (patch.lights && states(patch.lights) !== states(info.lights)) return false;
  const before: Record<string, unknown> = { ...info };
  return Object.entries(patch).every(([key, value]) => QUIET.has(key) || value === undefined || JSON.stringify(value) === JSON.stringify(before[key]));
}

export function applyStatus(patch: SessionStatus): void {
  const known = hub.getState().sessions.get(patch.sessionId);
  if (known && isQuiet(known.info, patch)) {
    // A heartbeat that changes nothing to see redraws nothing: written in place, read by whoever draws next.
    Object.assign(known.info, { lastHeartbeatAt: patch.lastHeartbeatAt }, patch.lights && { lights: patch.lights });
    known.heardAt = serverNow();
    return;
  }
  update(patch.sessionId, (row) => {
    const finished = row.info.isActive && !patch.isActive;
    const begun = !row.info.isActive && patch.isActive;
    // Absent members mean "unchanged", null means "none".
    const info = { ...row.info, ...Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) };
    const heard = patch.lastHeartbeatAt ? Date.parse(patch.lastHeartbeatAt) : NaN;
    if (finished) {
      unread.finished(row.id);
      rememberTouch(row.id, serverNow());
    }
    return {
      ...row,
      info,
      heardAt: Math.max(row.heardAt, Number.isFinite(heard) ? heard : 0, serverNow()),
      touchedAt: finished ? serverNow() : row.touchedAt,
      failed: begun ? undefined : row.failed,
    };
  });
}

/** Last version seen per session on this connection. Forgotten on every connect: the relay's counter may restart. */
const versions = new Map<string, number>();

export function applySnapshot(sessionId: string, value: unknown): void {
  const meta = decodeMeta(value);
  if (!meta || meta.version < (versions.get(sessionId) ?? -1)) return;
  versions.set(sessionId, meta.version);
  setMeta(sessionId, meta);
}

export function applyMetaEvent(event: HubMetaEvent): void {
  const { sessionId, version } = event;
  if (typeof version !== "number" || version <= (versions.get(sessionId) ?? -1)) return;
  const row = hub.getState().sessions.get(sessionId);
  if (!row) return;
  const state = row.meta ?? EMPTY_META;
  const patch = metaPatch(event, state);
  if (!patch) return;
  versions.set(sessionId, version);
  setMeta(sessionId, { ...state, ...patch, version });
}

function setMeta(sessionId: string, meta: SessionMetaState): void {
  update(sessionId, (row) => {
    const waited = decisionsOf(sessionId, row.meta).length;
    const waits = decisionsOf(sessionId, meta).length;
    const raised = waits > waited && row.meta !== undefined;
    if (raised) {
      unread.needs(sessionId);
      rememberTouch(sessionId, serverNow());
    }
    return { ...row, meta, heardAt: Math.max(row.heardAt, serverNow()), touchedAt: raised ? serverNow() : row.touchedAt };
  });
}

/** Remember that a spawn was accepted, so that the screen has something to show until the session registers. */
export function noteStarting(session: StartingSession): void {
  rememberHint(session.sessionId, session.prompt);
  if (hub.getState().sessions.has(session.sessionId)) return;
  hub.setState(({ starting }) => ({ starting: new Map(starting).set(session.sessionId, session) }));
}
function applySpawn(spawn: SessionSpawn): void {
  const { starting } = hub.getState();
  const known = starting.get(spawn.sessionId);
  if (!known || (spawn.state !== "failed" && spawn.state !== "timed_out")) return;
  const failed = spawn.message ?? (spawn.state === "failed" ? "The machine could not start it." : "The session was started but never reported back.");
  hub.setState({ starting: new Map(starting).set(spawn.sessionId, { ...known, failed }) });
}
export function forgetStarting(sessionId: string): void {
  hub.setState(({ starting }) => ({ starting: without(starting, [sessionId]) }));
}

function without<V>(map: ReadonlyMap<string, V>, keys: Iterable<string>): ReadonlyMap<string, V> {
  const next = new Map(map);
  for (const key of keys) next.delete(key);
  return next.size === map.size ? map : next;
}

/** Outcomes kept for cards that are still on screen. */
const ENDED_KEEP = 50;

/** Rows of the last list, so that the next visit starts with names instead of grey bars. */
const LIST_KEEP = 60;

function saveList(): void {
  save(
    "list",
    [...hub.getState().sessions.values()].slice(0, LIST_KEEP).map(({ info: { presence: _presence, lights: _lights, ...info }, pinned }) => ({ ...info, isActive: false, isPinned: pinned })),
  );
}

/** Show the list of the last visit until the relay answers. */
function restoreList(): void {
  const entries = load("list", (value) => (Array.isArray(value) ? value : undefined)) ?? [];
  const sessions = new Map<string, SessionRow>();
  for (const entry of entries) {
    const info = decodeSession(entry);
    if (info) sessions.set(info.sessionId, rowOf(info, undefined, true));
  }
  hub.setState({ phase: "loading", sessions });
}

function onConnect(): () => void {
  versions.clear();
  const timer = setTimeout(async () => {
    try {
      const answer = await api.get<{ sessions: unknown[] }>("/api/sessions?includePersisted=0");
      if (hub.getState().phase !== "ready") {
        applyList(answer.sessions);
        subscribeAll();
      }
    } catch {
      // The socket's own list is still expected; the header says that it is updating.
    }
  }, FALLBACK_MS);
  return () => clearTimeout(timer);
}

function subscribeAll(): void {
  for (const row of hub.getState().sessions.values()) if (row.live) hubChannel.emit("subscribe_session_meta", { sessionId: row.id });
}

async function readPins(): Promise<void> {
  try {
    applyPinned((await api.get<{ pinnedSessions: PersistedSession[] }>("/api/sessions/pinned")).pinnedSessions);
  } catch {
    // Pins are a convenience: the list stands without them, and the next connect asks again.
  }
}

/** Newest change of the feed that is applied here; a gap means that something was missed. */
let revision: number | undefined;

function inOrder<T extends { revision?: number }>(apply: (payload: T) => void): (payload: T) => void {
  return (payload) => {
    const next = payload.revision;
    if (next !== undefined && revision !== undefined && next > revision + 1) hubChannel.emit("refresh", { have: revision });
    if (next !== undefined) revision = Math.max(revision ?? 0, next);
    apply(payload);
  };
}

/** Follow the relay's feed. Returns the function that stops. */
export function startHub(): () => void {
  restoreList();
  let cancel: () => void = () => undefined;
  const stops = [
    hubChannel.onConnect(() => {
      cancel();
      cancel = onConnect();
    }),
    hubChannel.onDisconnect(() => {
      cancel();
      hub.setState(({ phase }) => ({ phase: phase === "ready" ? "stale" : phase }));
    }),
    hubChannel.on("sessions", ({ sessions, revision: at }) => {
      cancel();
      revision = at;
      applyList(Array.isArray(sessions) ? sessions : []);
      subscribeAll();
      void readPins();
    }),
    hubChannel.on("session_added", inOrder(applyAdded)),
    hubChannel.on("session_removed", inOrder(({ sessionId }) => applyRemoved(sessionId))),
    hubChannel.on("session_status", inOrder(applyStatus)),
    hubChannel.on("state_snapshot", ({ sessionId, state }) => applySnapshot(sessionId, state)),
    hubChannel.on("meta_event", applyMetaEvent),
    hubChannel.on("decisions", ({ decisions }) => {
      const known = new Map<string, Decision>();
      for (const entry of Array.isArray(decisions) ? decisions : []) {
        const decision = decodeDecision(entry);
        if (decision) known.set(decision.decisionId, decision);
      }
      hub.setState({ decisions: known });
    }),
    hubChannel.on("decision_added", (value) => {
      const decision = decodeDecision(value);
      if (decision) hub.setState(({ decisions }) => ({ decisions: new Map(decisions).set(decision.decisionId, decision) }));
    }),
    hubChannel.on("decision_ended", ({ decisionId, outcome }) =>
      hub.setState(({ decisions, ended }) => ({ decisions: without(decisions, [decisionId]), ended: new Map([...ended, [decisionId, outcome] as const].slice(-ENDED_KEEP)) })),
    ),
    hubChannel.on("session_spawn", applySpawn),
  ];
  return () => {
    cancel();
    for (const stop of stops) stop();
    versions.clear();
    revision = undefined;
    hub.setState({ phase: "loading", sessions: new Map(), decisions: new Map(), ended: new Map(), starting: new Map() });
  };
}

// ---- for components -------------------------------------------------------------------------------------------------

export function useHub<T>(selector: (state: HubState) => T): T {
  return useStore(hub, useShallow(selector));
}

/** One row; redraws only when that row changes. */
export function useSession(id: string): SessionRow | undefined {
  return useStore(hub, (state) => state.sessions.get(id));
}

/** A part of one session's meta state. */
export function useMeta<T>(id: string, selector: (meta: SessionMetaState) => T): T | undefined {
  return useStore(
    hub,
    useShallow((state: HubState) => {
      const meta = state.sessions.get(id)?.meta;
      return meta ? selector(meta) : undefined;
    }),
  );
}

function recordsOf(state: Pick<HubState, "decisions">, id: string): Decision[] {
  return [...state.decisions.values()].filter((decision) => decision.sessionId === id);
}

/** Open decisions of one session, oldest first. */
export function useDecisions(id: string): OpenDecision[] {
  const meta = useStore(hub, (state) => state.sessions.get(id)?.meta);
  const decisions = useStore(hub, (state) => state.decisions);
  return useMemo(() => decisionsOf(id, meta, [...decisions.values()].filter((decision) => decision.sessionId === id)), [id, meta, decisions]);
}

/** Everything that waits for the person, over all sessions, oldest first. */
export function allDecisions(state: Pick<HubState, "sessions" | "decisions">): OpenDecision[] {
  return [...state.sessions.values()]
    .filter((row) => row.live)
    .flatMap((row) => decisionsOf(row.id, row.meta, recordsOf(state, row.id)))
    .sort((a, b) => a.createdAt - b.createdAt);
}

export function useAllDecisions(): OpenDecision[] {
  const sessions = useStore(hub, (state) => state.sessions);
  const decisions = useStore(hub, (state) => state.decisions);
  return useMemo(() => allDecisions({ sessions, decisions }), [sessions, decisions]);
}

/** How a decision ended, if that happened while the page was open. */
export function useOutcome(decisionId: string): DecisionOutcome | undefined {
  return useStore(hub, (state) => state.ended.get(decisionId));
}

/** How many sessions wait for the person; for the title, the icon and the bottom bar. */
export function useNeedsCount(): number {
  return useStore(hub, (state) => new Set(allDecisions(state).map((decision) => decision.sessionId)).size);
}
