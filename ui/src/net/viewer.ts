import type { ServiceEnvelope, ViewerConnected, ViewerExecResult } from "@/protocol/wire";
import { CallError } from "./channel";
import { separateSocket, viewerChannel } from "./manager";

/** A remote command was refused by the session. */
export class ExecError extends Error {
  override name = "ExecError";
}

const EXEC_MS = 15_000;
const SERVICE_MS = 15_000;
/** How long a short-lived connection to a background session may take to stand, ms. */
const ATTACH_MS = 10_000;

/** A new id for commands and messages; sortable by time, as the log prefers. */
export function commandId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = Date.now();
  for (let at = 5; at >= 0; at--) {
    bytes[at] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

interface Waiting {
  sessionId: string;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

const commands = new Map<string, Waiting>();
const services = new Map<string, Waiting>();

function settle(table: Map<string, Waiting>, id: string): Waiting | undefined {
  const waiting = table.get(id);
  if (!waiting) return undefined;
  table.delete(id);
  clearTimeout(waiting.timer);
  return waiting;
}

function wait(table: Map<string, Waiting>, id: string, sessionId: string, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(table, id)?.reject(new CallError("timeout")), timeoutMs);
    table.set(id, { sessionId, resolve, reject, timer });
  });
}

function onExecResult(result: ViewerExecResult): void {
  const waiting = commands.get(result.id);
  if (!waiting || (result.sessionId && result.sessionId !== waiting.sessionId)) return;
  settle(commands, result.id);
  if (result.ok) waiting.resolve(result.result);
  else waiting.reject(new ExecError(result.error ?? "The session refused the command."));
}

function onServiceMessage(envelope: ServiceEnvelope): void {
  if (envelope.requestId === undefined) return;
  settle(services, envelope.requestId)?.resolve(envelope.payload);
}

viewerChannel.on("exec_result", onExecResult);
viewerChannel.on("service_message", onServiceMessage);
viewerChannel.onDisconnect(() => {
  for (const table of [commands, services]) for (const id of table.keys()) settle(table, id)?.reject(new CallError("offline"));
});

/** The tab's one connection to the session on screen. */
export const viewer = {
  on: viewerChannel.on.bind(viewerChannel),
  emit: viewerChannel.emit.bind(viewerChannel),
  call: viewerChannel.call.bind(viewerChannel),
  onConnect: viewerChannel.onConnect.bind(viewerChannel),
  onDisconnect: viewerChannel.onDisconnect.bind(viewerChannel),
  connected: viewerChannel.connected.bind(viewerChannel),

  /** Run a remote command on the session that is attached, and wait for its own result. */
  exec(sessionId: string, command: string, args: Record<string, unknown> = {}, timeoutMs = EXEC_MS): Promise<unknown> {
    const id = commandId();
    if (!viewerChannel.emit("exec", { ...args, type: "exec", id, command, sessionId })) return Promise.reject(new CallError("offline"));
    return wait(commands, id, sessionId, timeoutMs);
  },

  /** Ask a service of the session's runner; the answer is matched by its request id. */
  service(envelope: Omit<ServiceEnvelope, "requestId">, timeoutMs = SERVICE_MS): Promise<unknown> {
    const requestId = commandId();
    if (!viewerChannel.emit("service_message", { ...envelope, requestId })) return Promise.reject(new CallError("offline"));
    return wait(services, requestId, envelope.sessionId ?? "", timeoutMs);
  },
};

/** Which session the shared viewer looks at; set by the session screen. */
let attached: string | undefined;
export function setAttached(sessionId: string | undefined): void {
  attached = sessionId;
}
export function attachedSession(): string | undefined {
  return attached;
}

export interface BackgroundSession {
  exec: (command: string, args?: Record<string, unknown>, timeoutMs?: number) => Promise<unknown>;
  input: (payload: { text: string; requestId: string; deliverAs?: "steer" | "followUp" }) => Promise<boolean>;
}

/** Do something with a session that is not on screen, over a short connection bound to it. */
export async function withSession<T>(sessionId: string, work: (session: BackgroundSession) => Promise<T>): Promise<T> {
  const { socket, close } = separateSocket("/viewer", { sessionId }, false);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new CallError("timeout")), ATTACH_MS);
      socket.on("connected", (payload: ViewerConnected) => {
        clearTimeout(timer);
        if (payload.replayOnly) reject(new ExecError("This session has ended."));
        else resolve();
      });
      socket.on("connect_error", () => {
        clearTimeout(timer);
        reject(new CallError("offline"));
      });
      socket.on("error", (payload: { message?: string }) => {
        clearTimeout(timer);
        reject(new ExecError(payload.message ?? "Session not found"));
      });
    });
    return await work({
      exec: (command, args = {}, timeoutMs = EXEC_MS) => {
        const id = commandId();
        return new Promise((resolve, reject) => {
          const timer = setTimeout(() => reject(new CallError("timeout")), timeoutMs);
          socket.on("exec_result", (result: ViewerExecResult) => {
            if (result.id !== id) return;
            clearTimeout(timer);
            if (result.ok) resolve(result.result);
            else reject(new ExecError(result.error ?? "The session refused the command."));
          });
          socket.emit("exec", { ...args, type: "exec", id, command, sessionId });
        });
      },
      input: (payload) =>
        new Promise((resolve, reject) => {
          socket.timeout(10_000).emit("input", { ...payload, client: "web", sessionId }, (error: Error | null, delivered: boolean) => {
            if (error) reject(new CallError("timeout"));
            else resolve(delivered);
          });
        }),
    });
  } finally {
    close();
  }
}
