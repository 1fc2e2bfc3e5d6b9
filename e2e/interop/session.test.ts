// A session and its viewers over the stock socket.io-client, the way the published programs use it.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Account, account, browserSocket, cleanUp, type Peer, type Relay, relaySocket, startRelay, until } from "../harness.ts";

let relay: Relay;
let ana: Account;

beforeEach(async () => {
  relay = await startRelay();
  ana = await account(relay);
});
afterEach(cleanUp);

const snapshot = (messages: unknown[], more: object = {}) => ({
  type: "session_active",
  state: {
    messages, model: { provider: "anthropic", id: "claude" }, thinkingLevel: "medium", sessionName: "Pizza", cwd: "/src",
    availableModels: [], availableCommands: [], todoList: [], analysis: null, goal: null, queuedMessages: [],
  },
  ...more,
});
const said = (text: string, timestamp: number) => ({
  type: "message_end", message: { role: "user", content: text, timestamp },
});

async function register(peer: Peer, more: object = {}): Promise<{ sessionId: string; token: string }> {
  peer.socket.emit("register", { cwd: "/src", ephemeral: true, collabMode: true, ...more });
  return peer.next("registered");
}

async function session(more: object = {}) {
  const peer = await relaySocket(relay, ana.key).connected();
  const registered = await register(peer, more);
  let seq = 0;
  const send = (event: unknown) =>
    peer.socket.emit("event", { sessionId: registered.sessionId, token: registered.token, event, seq: ++seq });
  return { peer, send, ...registered };
}

async function viewer(sessionId: string, more: object = {}) {
  const peer = await browserSocket(relay, "/viewer", ana.cookie).connected();
  peer.socket.emit("switch_session", { sessionId, generation: 1, ...more });
  return peer;
}

describe("registering", () => {
  test("answers with everything the published clients read", async () => {
    const peer = await relaySocket(relay, ana.key).connected();
    const id = crypto.randomUUID();
    const registered: any = await register(peer, { sessionId: id, sessionName: "  Pizza " });
    expect(registered).toMatchObject({
      sessionId: id, isEphemeral: true, collabMode: true, parentSessionId: null, supportsSessionTriggerAck: true,
    });
    expect(registered.token).toMatch(/^[0-9a-f]{64}$/);
    expect(registered.shareUrl).toMatch(new RegExp(`/session/${id}$`));
    expect(Math.abs(registered.serverTime - Date.now())).toBeLessThan(10_000);
  });

  test("a wrong token is refused in the exact words and changes nothing", async () => {
    const { peer, sessionId } = await session();
    peer.socket.emit("event", { sessionId, token: "0".repeat(64), event: said("x", 1), seq: 1 });
    expect(await peer.next("error")).toEqual({ message: "Invalid token" });
  });

  test("a second registration of the same id takes over in place; the first socket is inert", async () => {
    const first = await session({ sessionId: "take-over" });
    first.send(snapshot([]));
    await first.peer.next("event_ack", (ack) => ack.seq === 1);
    const watching = await viewer("take-over");
    await watching.next("event");
    const second = await session({ sessionId: "take-over" });
    expect(second.sessionId).toBe("take-over");
    expect(second.token).not.toBe(first.token);
    first.send(said("from the dead", 1));
    second.send(said("from the living", 2));
    const frame = await watching.next("event", (data) => data.event.type === "message_end");
    expect(frame.event.message.content).toBe("from the living");
    expect(watching.all("disconnected")).toEqual([]);
  });
});

describe("events", () => {
  test("2 000 events arrive in order with consecutive numbers, and the ack is cumulative", async () => {
    const { peer, send, sessionId } = await session();
    send(snapshot([]));
    const watching = await viewer(sessionId);
    await watching.next("event", (data) => data.event.type === "session_active");
    for (let index = 0; index < 2_000; index++) send(said(`line ${index}`, index));
    await peer.next("event_ack", (ack) => ack.seq === 2_001, 20_000);
    const frames = await until("all frames", () => {
      const seen = watching.all("event").filter((data) => data.event.type === "message_end");
      return seen.length >= 2_000 ? seen : undefined;
    });
    expect(frames.map((data) => data.event.message.content)).toEqual(Array.from({ length: 2_000 }, (_, index) => `line ${index}`));
    const numbers = frames.map((data) => data.seq as number);
    expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, index) => numbers[0]! + index));
    expect(new Set(frames.map((data) => data.generation))).toEqual(new Set([1]));
    const acks = peer.all("event_ack").map((ack) => ack.seq as number);
    expect(acks).toEqual([...acks].sort((left, right) => left - right));
  });

  test("streamed frames carry no number", async () => {
    const { send, sessionId } = await session();
    send(snapshot([]));
    const watching = await viewer(sessionId);
    await watching.next("event", (data) => data.event.type === "session_active");
    const message = { role: "assistant", content: [{ type: "text", text: "so far" }], timestamp: 5 };
    send({ type: "message_update", message, assistantMessageEvent: { type: "text_delta", contentIndex: 0, delta: "far" } });
    const frame = await watching.next("event", (data) => data.event.type === "message_update");
    expect(frame.seq).toBeUndefined();
  });

  test("a snapshot in chunks is put together for a later viewer", async () => {
    const { peer, send, sessionId } = await session();
    const messages = Array.from({ length: 120 }, (_, index) => ({ role: "user", content: `m${index}`, timestamp: index }));
    const header = snapshot([]);
    send({ ...header, state: { ...header.state, messages: [], chunked: true, snapshotId: "s1", totalMessages: 120 } });
    for (let index = 0; index < 3; index++) {
      send({
        type: "session_messages_chunk", snapshotId: "s1", chunkIndex: index, totalChunks: 3, totalMessages: 120,
        messages: messages.slice(index * 40, index * 40 + 40), final: index === 2,
      });
    }
    await peer.next("event_ack", (ack) => ack.seq === 4);
    const watching = await viewer(sessionId);
    const frame = await watching.next("event", (data) => data.event.type === "session_active");
    expect(frame.event.state.totalMessages).toBe(120);
    expect(frame.event.state.messages.map((message: any) => message.content)).toEqual(messages.slice(70).map((message) => message.content));
    watching.socket.emit("load_messages", { sessionId, before: 70, limit: 50 });
    const page = await watching.next("session_messages_page");
    expect(page).toMatchObject({ sessionId, hasMore: true, oldestIndex: 20 });
    expect(page.messages).toHaveLength(50);
  });
});

describe("viewers", () => {
  test("join in the published order: connected, snapshot, deltas, live", async () => {
    const { peer, send, sessionId } = await session();
    send(snapshot([{ role: "user", content: "old", timestamp: 1 }]));
    send(said("after the snapshot", 2));
    await peer.next("event_ack", (ack) => ack.seq === 2);
    const watching = await viewer(sessionId, { generation: 7 });
    const connected = await watching.next("connected");
    expect(connected).toMatchObject({ sessionId, generation: 7, meta_source: "hub" });
    const first = await watching.next("event");
    expect(first).toMatchObject({ replay: true, generation: 7 });
    expect(first.event.type).toBe("session_active");
    const delta = await watching.next("event");
    expect(delta.event.message.content).toBe("after the snapshot");
    expect(delta.seq).toBeGreaterThan(connected.lastSeq); // the published UI drops deltas at or below its cursor
    send(said("live", 3));
    const live = await watching.next("event", (data) => data.event.message?.content === "live");
    expect(live.seq).toBe(delta.seq + 1);
  });

  test("come back with their last number and get exactly what they missed", async () => {
    const { peer, send, sessionId } = await session();
    send(snapshot([]));
    for (let index = 0; index < 5; index++) send(said(`a${index}`, index));
    await peer.next("event_ack", (ack) => ack.seq === 6);
    const first = await viewer(sessionId);
    const seen = await until("five deltas", () => {
      const frames = first.all("event").filter((data) => data.event.type === "message_end");
      return frames.length === 5 ? frames : undefined;
    });
    first.socket.close();
    for (let index = 0; index < 5; index++) send(said(`b${index}`, 10 + index));
    await peer.next("event_ack", (ack) => ack.seq === 11);
    const second = await viewer(sessionId, { lastSeq: seen.at(-1).seq });
    await until("the five missed ones", () => second.all("event").filter((data) => data.deltaReplay).length === 5);
    expect(second.all("event").filter((data) => data.deltaReplay).map((data) => data.event.message.content)).toEqual(["b0", "b1", "b2", "b3", "b4"]);
  });

  test("get the same answer for missing and foreign sessions", async () => {
    const watching = await viewer("no-such-session");
    expect(await watching.next("error")).toMatchObject({ message: "Session not found", generation: 1 });
    expect(watching.socket.connected).toBe(true);
  });

  test("input reaches the session and its ack comes back", async () => {
    const { peer, sessionId } = await session();
    const watching = await viewer(sessionId);
    await watching.next("connected");
    peer.socket.on("input", (input: any, ack?: (delivered: boolean) => void) => ack?.(input.text === "hello"));
    const delivered = await watching.socket.timeout(10_000).emitWithAck("input", { text: "hello", client: "web", requestId: "r1" });
    expect(delivered).toBe(true);
    const input = await peer.next("input");
    expect(input).toMatchObject({ text: "hello", client: "web", requestId: "r1" });
  });

  test("exec goes through verbatim and the answer finds the asker", async () => {
    const { peer, sessionId } = await session();
    const watching = await viewer(sessionId);
    await watching.next("connected");
    watching.socket.emit("exec", { id: "x1", command: "set_session_name", name: "Calzone", type: "exec" });
    const exec = await peer.next("exec");
    expect(exec).toMatchObject({ id: "x1", command: "set_session_name", name: "Calzone", type: "exec" });
    peer.socket.emit("exec_result", { id: "x1", ok: true, command: "set_session_name", result: { sessionName: "Calzone" } });
    expect(await watching.next("exec_result")).toMatchObject({ id: "x1", ok: true, sessionId, result: { sessionName: "Calzone" } });
  });

  test("a cut session socket does not throw viewers out, and the numbers go on", async () => {
    const first = await session({ sessionId: "blip" });
    first.send(snapshot([]));
    first.send(said("before", 1));
    await first.peer.next("event_ack", (ack) => ack.seq === 2);
    const watching = await viewer("blip");
    const before = await watching.next("event", (data) => data.event.message?.content === "before");
    first.peer.socket.io.engine.close();
    const again = await session({ sessionId: "blip" });
    again.send(snapshot([]));
    again.send(said("after", 2));
    const after = await watching.next("event", (data) => data.event.message?.content === "after");
    expect(after.seq).toBeGreaterThan(before.seq);
    expect(watching.all("disconnected")).toEqual([]);
    expect(watching.socket.connected).toBe(true);
  });

  test("survive a killed relay: the log is still there after the restart", async () => {
    const { peer, send, sessionId } = await session({ sessionId: "durable" });
    send(snapshot([]));
    for (let index = 0; index < 50; index++) send(said(`kept ${index}`, index));
    await peer.next("event_ack", (ack) => ack.seq === 51);
    const first = await viewer(sessionId);
    const cursor = (await first.next("event", (data) => data.event.message?.content === "kept 9")).seq;
    peer.socket.close();
    first.socket.close();
    await relay.kill();
    await relay.start();
    const back = await session({ sessionId: "durable" });
    expect(back.sessionId).toBe("durable");
    const second = await viewer(sessionId, { lastSeq: cursor });
    await until("the forty missed ones", () => second.all("event").filter((data) => data.deltaReplay).length >= 40);
    const missed = second.all("event").filter((data) => data.deltaReplay).map((data) => data.event.message.content);
    expect(missed).toEqual(Array.from({ length: 40 }, (_, index) => `kept ${index + 10}`));
  });
});
