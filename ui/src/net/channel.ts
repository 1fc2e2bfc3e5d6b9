import type { Socket } from "socket.io-client";

/** What a table of events looks like to the type system. */
type Table<T> = { [K in keyof T]: T[K] extends (...args: infer _A) => void ? T[K] : never };
type Payload<T, K extends keyof T> = T[K] extends (payload: infer P, ...rest: never[]) => void ? P : never;
type Answer<T, K extends keyof T> = T[K] extends (payload: never, ack: (answer: infer A) => void) => void ? A : never;

/** The peer did not answer in time, or the link went before it could. */
export class CallError extends Error {
  override name = "CallError";
  readonly code: "timeout" | "offline";
  constructor(code: "timeout" | "offline") {
    super(code === "timeout" ? "No answer in time." : "Not connected.");
    this.code = code;
  }
}

/**
 * One namespace, seen independently of the socket that serves it at the moment: listeners stay when sockets are rebuilt
 * after a sign-in. Events arrive in the order of the wire.
 */
export class Channel<S2C extends Table<S2C>, C2S extends Table<C2S>> {
  readonly namespace: string;
  #socket: Socket | undefined;
  #listeners = new Map<string, Set<(...args: never[]) => void>>();
  #connectListeners = new Set<() => void>();
  #disconnectListeners = new Set<(reason: string) => void>();

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** Serve this channel from `socket` from now on. */
  attach(socket: Socket): void {
    this.detach();
    this.#socket = socket;
    for (const [event, listeners] of this.#listeners) for (const listener of listeners) socket.on(event, listener as (...args: unknown[]) => void);
    socket.on("connect", this.#onConnect);
    socket.on("disconnect", this.#onDisconnect);
    if (socket.connected) this.#onConnect();
  }

  detach(): void {
    const socket = this.#socket;
    if (!socket) return;
    const wasConnected = socket.connected;
    socket.removeAllListeners();
    socket.disconnect();
    this.#socket = undefined;
    if (wasConnected) this.#onDisconnect("detached");
  }

  get socket(): Socket | undefined {
    return this.#socket;
  }

  connected(): boolean {
    return this.#socket?.connected === true;
  }

  /** Listen to an event of the peer. Returns the function that stops. */
  on<K extends keyof S2C & string>(event: K, listener: (payload: Payload<S2C, K>) => void): () => void {
    const name: string = event;
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    this.#socket?.on(name, listener as (...args: unknown[]) => void);
    return () => {
      listeners.delete(listener);
      this.#socket?.off(name, listener as (...args: unknown[]) => void);
    };
  }

  /** Each time the namespace becomes usable; at once when it already is. */
  onConnect(listener: () => void): () => void {
    this.#connectListeners.add(listener);
    if (this.connected()) listener();
    return () => this.#connectListeners.delete(listener);
  }

  onDisconnect(listener: (reason: string) => void): () => void {
    this.#disconnectListeners.add(listener);
    return () => this.#disconnectListeners.delete(listener);
  }

  /** Send when connected; nothing is buffered over an interruption. False: it was not sent. */
  emit<K extends keyof C2S & string>(event: K, payload: Payload<C2S, K>): boolean {
    if (!this.#socket?.connected) return false;
    this.#socket.emit(event, payload);
    return true;
  }

  /** Send and wait for the acknowledgement. */
  call<K extends keyof C2S & string>(event: K, payload: Payload<C2S, K>, timeoutMs: number): Promise<Answer<C2S, K>> {
    const socket = this.#socket;
    if (!socket?.connected) return Promise.reject(new CallError("offline"));
    return new Promise((resolve, reject) => {
      socket.timeout(timeoutMs).emit(event, payload, (error: Error | null, answer: Answer<C2S, K>) => {
        if (error) reject(new CallError(socket.connected ? "timeout" : "offline"));
        else resolve(answer);
      });
    });
  }

  #onConnect = () => {
    for (const listener of this.#connectListeners) listener();
  };

  #onDisconnect = (reason: string) => {
    for (const listener of this.#disconnectListeners) listener(reason);
  };
}
