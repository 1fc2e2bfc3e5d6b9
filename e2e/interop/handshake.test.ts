// Who may connect where, over which transport, and the exact words of every refusal.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Account, account, browserSocket, cleanUp, connect, type Peer, type Relay, relaySocket, startRelay, until } from "../harness.ts";

let relay: Relay;
let ana: Account;

beforeAll(async () => {
  relay = await startRelay();
  ana = await account(relay);
});
afterAll(cleanUp);

function refusal(peer: Peer): Promise<string> {
  return new Promise((resolve, reject) => {
    peer.socket.once("connect_error", (error) => resolve(error.message));
    peer.socket.once("connect", () => reject(new Error("it was let in")));
  });
}

describe.each(["/relay", "/runner"])("%s", (namespace) => {
  test("lets a valid key in", async () => {
    await connect(relay, namespace, { auth: { apiKey: ana.key, protocolVersion: 1 } }).connected();
  });
  test.each([{}, { apiKey: "" }, { apiKey: "f".repeat(64) }, { apiKey: 7 }])("refuses %j", async (auth) => {
    expect(await refusal(connect(relay, namespace, { auth, reconnection: false }))).toBe("unauthorized");
  });
  test("does not take a login cookie instead of a key", async () => {
    expect(await refusal(browserSocket(relay, namespace, ana.cookie, { reconnection: false }))).toBe("unauthorized");
  });
});

describe.each(["/viewer", "/hub", "/runners"])("%s", (namespace) => {
  test("lets a login cookie in, over polling, websocket and the upgrade between them", async () => {
    for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
      const peer = await browserSocket(relay, namespace, ana.cookie, { transports }).connected();
      const engine = peer.socket.io.engine;
      if (transports.length === 2) await until("the upgrade", () => engine.transport.name === "websocket");
      peer.socket.close();
    }
  });
  test("lets the mobile app's key in", async () => {
    await connect(relay, namespace, { auth: { apiKey: ana.key, protocolVersion: 1, clientVersion: "1" } }).connected();
  });
  test("refuses without credentials", async () => {
    expect(await refusal(connect(relay, namespace, { reconnection: false }))).toBe("unauthorized");
  });
  test.each(["https://evil.example", "null", "http://127.0.0.1.evil.example"])("refuses the origin %s even with a valid cookie", async (origin) => {
    const peer = browserSocket(relay, namespace, ana.cookie, { reconnection: false, extraHeaders: { cookie: ana.cookie, origin } });
    // Over WebSocket the whole upgrade may be refused, before any namespace can answer.
    expect(await refusal(peer)).toMatch(/forbidden: untrusted origin|websocket error|xhr poll error/);
  });
  test("ignores what connection state recovery adds to the auth object", async () => {
    await browserSocket(relay, namespace, ana.cookie, { auth: { pid: "x", offset: "y" } as object }).connected();
  });
});

test("a client of another protocol version is let in, and its viewer is told", async () => {
  const peer = await browserSocket(relay, "/viewer", ana.cookie, { auth: { protocolVersion: 99 } as object }).connected();
  const { message } = await peer.next("error");
  expect(message).toBe(
    "Protocol mismatch detected between UI and server. Some real-time features may be unavailable until you refresh/update the UI.",
  );
});

test("what is sent right after the connection is never lost", async () => {
  for (let round = 0; round < 40; round++) {
    const peer = relaySocket(relay, ana.key);
    peer.socket.once("connect", () => peer.socket.emit("register", { sessionId: `early-${round}`, cwd: "/" }));
    expect((await peer.next("registered")).sessionId).toBe(`early-${round}`);
    peer.socket.close();
  }
});

test("the engine advertises the published limits", async () => {
  const open = await (await fetch(`${relay.url}/socket.io/?EIO=4&transport=polling`)).text();
  expect(JSON.parse(open.slice(1))).toMatchObject({ pingInterval: 30_000, pingTimeout: 60_000, maxPayload: 104_857_600 });
});
