import { createStore } from "zustand/vanilla";
import { api } from "./api";
import { closeSockets, dropTransport, hubChannel, observeLink, openSockets, reconnectNow, runnersChannel, viewerChannel } from "./manager";
import { CallError } from "./channel";

/** One value for the whole page; no two parts of the screen compute their own. */
export interface ConnectionState {
  phase: "off" | "connecting" | "connected" | "interrupted" | "offline";
  /** Since when the phase holds, Unix ms. For `interrupted`, since the link was lost. */
  since: number;
  attempt: number;
  /** When bytes last came from the relay, Unix ms. */
  heardAt: number;
  everConnected: boolean;
}

/** Interruptions shorter than this are not shown, ms. */
export const GRACE_MS = 3_000;
/** After this the bar offers to try at once, ms. */
export const LONG_MS = 30_000;
/** A tab hidden at least this long distrusts its socket when it comes back, ms. */
const DISTRUST_AFTER_MS = 20_000;
/** How long the relay may take to answer the probe, ms. */
const PROBE_MS = 2_000;

export const connection = createStore<ConnectionState>(() => ({ phase: "off", since: Date.now(), attempt: 0, heardAt: 0, everConnected: false }));

function enter(phase: ConnectionState["phase"]): void {
  const now = connection.getState();
  if (now.phase === phase) return;
  // Going offline and back during one outage does not restart its clock.
  const continues = (now.phase === "interrupted" || now.phase === "offline") && (phase === "interrupted" || phase === "offline");
  connection.setState({
    phase,
    since: continues ? now.since : Date.now(),
    ...(phase === "connected" ? { attempt: 0, everConnected: true } : {}),
  });
}

function settle(): void {
  const { phase, everConnected } = connection.getState();
  if (phase === "off") return;
  if (hubChannel.connected() && viewerChannel.connected()) enter("connected");
  else if (!navigator.onLine) enter("offline");
  else enter(everConnected ? "interrupted" : "connecting");
}

let stops: (() => void)[] = [];
let hiddenAt = 0;
let onRefused: () => void = () => undefined;

/** What to do when the relay refuses the login on a socket. */
export function whenRefused(handler: () => void): void {
  onRefused = handler;
}

export function startConnection(): void {
  stopConnection();
  connection.setState({ phase: "connecting", since: Date.now(), attempt: 0, everConnected: false });
  stops = [
    observeLink((event) => {
      if (event.kind === "heard") {
        connection.setState({ heardAt: Date.now() });
        return;
      }
      if (event.kind === "attempt") connection.setState({ attempt: event.attempt });
      if (event.kind === "refused") void refused();
      settle();
    }),
    ...[hubChannel, viewerChannel, runnersChannel].flatMap((channel) => [channel.onConnect(settle), channel.onDisconnect(settle)]),
  ];
  addEventListener("online", onOnline);
  addEventListener("offline", settle);
  document.addEventListener("visibilitychange", onVisibility);
  openSockets();
}

export function stopConnection(): void {
  for (const stop of stops) stop();
  stops = [];
  removeEventListener("online", onOnline);
  removeEventListener("offline", settle);
  document.removeEventListener("visibilitychange", onVisibility);
  closeSockets();
  connection.setState({ phase: "off", since: Date.now() });
}

/** A refusal is either an expired login, which is for the person, or a relay that is starting, which is for a timer. */
async function refused(): Promise<void> {
  try {
    const session = await api.get<unknown>("/api/auth/get-session", { expectUnauthorized: true });
    if (session === null) return onRefused();
  } catch {
    // Not reachable either: keep trying below.
  }
  setTimeout(reconnectNow, 5_000);
}

function onOnline(): void {
  settle();
  reconnectNow();
}

function onVisibility(): void {
  if (document.visibilityState === "hidden") {
    hiddenAt = Date.now();
    return;
  }
  if (connection.getState().phase !== "connected") return reconnectNow();
  if (hiddenAt > 0 && Date.now() - hiddenAt >= DISTRUST_AFTER_MS) void checkLink();
}

let checking = false;

/**
 * Is the other end there? The relay answers from the loop that serves this page, so a frozen one is noticed as well as a
 * dead link. No answer in time: the transport is thrown away, and everything resumes on a new one.
 */
export async function checkLink(): Promise<boolean> {
  if (checking || !viewerChannel.connected()) return false;
  checking = true;
  try {
    await viewerChannel.call("probe", { nonce: `${Date.now()}` }, PROBE_MS);
    return true;
  } catch (error) {
    if (error instanceof CallError && error.code === "timeout") dropTransport();
    return false;
  } finally {
    checking = false;
  }
}

export { reconnectNow };
