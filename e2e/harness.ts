// Starts the built program and helpers around it, waits for things to become true, and collects what was printed.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const PROGRAM = process.env.PIZZAPI_BIN ?? join(ROOT, "target/debug/pizzapi");

export const PASSWORD = "Quattro4Stagioni";

/** Resolve with the first truthy value of `probe`; fail naming what was awaited. */
export async function until<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 15_000): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

const cleanups: (() => Promise<void> | void)[] = [];

/** Run `action` when the test file ends. */
export function later(action: () => Promise<void> | void): void {
  cleanups.push(action);
}

/** Call from `afterAll`/`afterEach`: stops all that was started, newest first. */
export async function cleanUp(): Promise<void> {
  for (const action of cleanups.splice(0).reverse()) await action();
}

export function scratch(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `pizzapi-${name}-`));
  later(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Variables of this process that would leak the developer's own set-up into the tests. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(PIZZAPI|ANTHROPIC|OPENAI|GEMINI|OPENROUTER|OLLAMA)_/.test(name)) continue;
    env[name] = value;
  }
  return env;
}

export class Program {
  readonly child: ChildProcess;
  output = "";
  private exit: Promise<number | null>;

  constructor(name: string, args: string[], env: Record<string, string>, cwd?: string) {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: build it with \`cargo build -p pizzapi\``);
    this.child = spawn(PROGRAM, args, { env: { ...cleanEnvironment(), ...env }, cwd, stdio: ["ignore", "pipe", "pipe"] });
    const collect = (data: Buffer) => {
      this.output = (this.output + data.toString()).slice(-200_000);
      if (process.env.PIZZAPI_E2E_VERBOSE) process.stderr.write(`[${name}] ${data}`);
    };
    this.child.stdout?.on("data", collect);
    this.child.stderr?.on("data", collect);
    this.exit = new Promise((resolve) => this.child.once("exit", (code) => resolve(code)));
    later(async () => void (await this.stop("SIGKILL")));
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("the program did not start");
    return this.child.pid;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.running) this.child.kill(signal);
    return this.exit;
  }
}

export interface RelayOptions {
  port?: number;
  dataDir?: string;
  args?: string[];
  env?: Record<string, string>;
}

/** One relay process. `kill` and `start` keep port and data, as a crash and a restart do. */
export class Relay {
  program!: Program;
  constructor(readonly port: number, readonly dataDir: string, readonly options: RelayOptions) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.program = new Program(
      `relay:${this.port}`,
      ["server", "--bind", "127.0.0.1", "--port", String(this.port), "--data-dir", this.dataDir, ...(this.options.args ?? [])],
      { PIZZAPI_HOME: join(this.dataDir, "home"), ...this.options.env },
    );
    await until(`the relay on port ${this.port}`, async () => {
      if (!this.program.running) throw new Error(`it ended:\n${this.program.output}`);
      return (await fetch(`${this.url}/readyz`)).ok;
    });
  }

  async kill(): Promise<void> {
    await this.program.stop("SIGKILL");
  }
}

export async function startRelay(options: RelayOptions = {}): Promise<Relay> {
  const relay = new Relay(options.port ?? (await freePort()), options.dataDir ?? scratch("relay"), options);
  await relay.start();
  return relay;
}

export interface Account {
  email: string;
  key: string;
  cookie: string;
}

/** Make the first account (or sign in to it) and get an API key the way the command line does. */
export async function account(relay: Relay, email = "ana@example.com"): Promise<Account> {
  const registered = await post(relay, "/api/register", { name: "Ana", email, password: PASSWORD });
  const { key } = (await registered.json()) as { key: string };
  const signedIn = await post(relay, "/api/auth/sign-in/email", { email, password: PASSWORD });
  if (!signedIn.ok) throw new Error(`sign-in: ${signedIn.status} ${await signedIn.text()}`);
  const cookie = signedIn.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
  return { email, key, cookie };
}

export async function post(relay: Relay, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const answer = await fetch(relay.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return answer;
}

export type Frame = { name: string; data: any };

/** A stock socket.io-client with a memory: every event in arrival order, and waiting for one. */
export class Peer {
  readonly frames: Frame[] = [];
  private read = 0;

  constructor(readonly socket: Socket) {
    socket.onAny((name: string, data: unknown) => this.frames.push({ name, data }));
    later(() => void socket.close());
  }

  /** The next event with this name (and property), in order; earlier ones with other names are passed over. */
  async next(name: string, matches: (data: any) => boolean = () => true, timeoutMs = 10_000): Promise<any> {
    const from = this.read;
    return until(
      `\`${name}\` (seen since: ${this.frames.slice(from).map((frame) => frame.name).join(", ")})`,
      () => {
        for (let index = from; index < this.frames.length; index++) {
          const frame = this.frames[index]!;
          if (frame.name === name && matches(frame.data)) {
            this.read = index + 1;
            return { data: frame.data ?? {} };
          }
        }
        return undefined;
      },
      timeoutMs,
    ).then((found) => found.data);
  }

  all(name: string): any[] {
    return this.frames.filter((frame) => frame.name === name).map((frame) => frame.data);
  }

  async connected(): Promise<this> {
    await until("the connection", () => this.socket.connected);
    return this;
  }
}

export function connect(relay: Relay, namespace: string, options: Partial<ManagerOptions & SocketOptions>): Peer {
  return new Peer(io(relay.url + namespace, { forceNew: true, transports: ["websocket"], ...options }));
}

export function relaySocket(relay: Relay, key: string, options: Partial<ManagerOptions & SocketOptions> = {}): Peer {
  return connect(relay, "/relay", { auth: { apiKey: key, protocolVersion: 1 }, ...options });
}

/** A browser's socket: cookie and origin, as the published web UI has them. */
export function browserSocket(
  relay: Relay,
  namespace: string,
  cookie: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Peer {
  return connect(relay, namespace, {
    auth: { protocolVersion: 1, clientVersion: "0.9.0", ...(options.auth as object | undefined) },
    extraHeaders: { cookie, origin: relay.url },
    ...Object.fromEntries(Object.entries(options).filter(([name]) => name !== "auth")),
  });
}
