import { Manager, type Socket } from "socket.io-client";
import { Channel } from "./channel";
import { SOCKET_PROTOCOL_VERSION } from "@/protocol/wire";
import type {
  HubClientToServerEvents,
  HubServerToClientEvents,
  RunnersClientToServerEvents,
  RunnersServerToClientEvents,
  ViewerClientToServerEvents,
  ViewerServerToClientEvents,
} from "@/protocol/wire";

/** Version of the handshake; the relay marks others as incompatible. */
export const PROTOCOL_VERSION = SOCKET_PROTOCOL_VERSION;

/** First and longest wait between attempts, ms. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** A namespace that the relay closed by itself is asked for again after this, ms. */
const REOPEN_MS = 2_000;

export const hubChannel = new Channel<HubServerToClientEvents, HubClientToServerEvents>("/hub");
export const runnersChannel = new Channel<RunnersServerToClientEvents, RunnersClientToServerEvents>("/runners");
export const viewerChannel = new Channel<ViewerServerToClientEvents, ViewerClientToServerEvents>("/viewer");
const channels = [hubChannel, runnersChannel, viewerChannel];

export function handshake(extra: Record<string, string> = {}): Record<string, unknown> {
  return { protocolVersion: PROTOCOL_VERSION, clientVersion: __APP_VERSION__, ...extra };
}

function options() {
  return {
    path: "/socket.io/",
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    withCredentials: true,
    reconnectionDelay: FIRST_DELAY_MS,
    reconnectionDelayMax: LONGEST_DELAY_MS,
    randomizationFactor: 0.4,
    timeout: 10_000,
  };
}

export type LinkEvent =
  | { kind: "open" }
  | { kind: "closed"; reason: string }
  | { kind: "attempt"; attempt: number }
  | { kind: "failed" }
  | { kind: "refused"; namespace: string; message: string }
  | { kind: "heard" };

const observers = new Set<(event: LinkEvent) => void>();

/** Everything that happens to the shared transport. */
export function observeLink(observer: (event: LinkEvent) => void): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

function tell(event: LinkEvent): void {
  for (const observer of observers) observer(event);
}

let manager: Manager | undefined;

/** Open all namespaces over one transport. Only after the login is confirmed: a refused handshake is final for the library. */
export function openSockets(): void {
  closeSockets();
  const opened = new Manager(location.origin, { ...options(), autoConnect: false });
  manager = opened;
  opened.on("open", () => {
    tell({ kind: "open" });
    opened.engine.on("packet", () => tell({ kind: "heard" }));
  });
  opened.on("close", (reason) => tell({ kind: "closed", reason }));
  opened.on("reconnect_attempt", (attempt) => tell({ kind: "attempt", attempt }));
  opened.on("error", () => tell({ kind: "failed" }));
  for (const channel of channels) {
    const socket = opened.socket(channel.namespace, { auth: handshake() });
    watch(channel.namespace, socket);
    channel.attach(socket);
    socket.connect();
  }
}

function watch(namespace: string, socket: Socket): void {
  socket.on("connect_error", (error) => {
    // The manager retries failures of the transport itself; what comes here with an active socket is only that.
    if (!socket.active) tell({ kind: "refused", namespace, message: error.message });
  });
  socket.on("disconnect", (reason) => {
    if (reason === "io server disconnect") setTimeout(() => !socket.connected && manager && socket.connect(), REOPEN_MS);
  });
}

export function closeSockets(): void {
  for (const channel of channels) channel.detach();
  manager?.removeAllListeners();
  manager?.engine?.close();
  manager = undefined;
}

/** Try now instead of waiting for the back-off. */
export function reconnectNow(): void {
  if (!manager) return;
  for (const channel of channels) {
    const socket = channel.socket;
    if (socket && !socket.connected) {
      socket.disconnect();
      socket.connect();
    }
  }
}

/** Throw the transport away although it claims to be open. */
export function dropTransport(): void {
  manager?.engine?.close();
}

/** A namespace on a transport of its own, for what is bound by its handshake (terminals, background sessions). */
export function separateSocket(namespace: string, auth: Record<string, string>, reconnection: boolean): { socket: Socket; close: () => void } {
  const own = new Manager(location.origin, { ...options(), autoConnect: false, reconnection });
  const socket = own.socket(namespace, { auth: handshake(auth) });
  socket.connect();
  return {
    socket,
    close: () => {
      socket.removeAllListeners();
      socket.disconnect();
      own.engine?.close();
    },
  };
}

export function transportName(): string | undefined {
  return manager?.engine?.transport?.name;
}
