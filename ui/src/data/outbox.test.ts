// @vitest-environment jsdom
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { io } from "socket.io-client";
import { Server } from "socket.io";
import { connection } from "@/net/connection";
import { viewerChannel } from "@/net/manager";
import { setAttached } from "@/net/viewer";
import { outbox, startOutbox } from "./outbox";

// A real relay's acknowledgements over a real socket; only the page's own manager is left out.
let http: HttpServer;
let server: Server;
const received: { text: string; requestId: string }[] = [];
let answer: ((ack: (ok: boolean) => void) => void) | undefined;
let stop: () => void = () => undefined;

beforeAll(async () => {
  http = createServer();
  server = new Server(http);
  server.of("/viewer").on("connection", (socket) => {
    socket.on("input", (payload: { text: string; requestId: string }, ack: (ok: boolean) => void) => {
      received.push(payload);
      if (answer) answer(ack);
      else ack(true);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const socket = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}/viewer`, { transports: ["websocket"] });
  viewerChannel.attach(socket);
  await new Promise<void>((resolve) => socket.on("connect", () => resolve()));
  stop = await startOutbox();
  connection.setState({ phase: "connected" });
});
afterAll(async () => {
  stop();
  viewerChannel.detach();
  await server.close();
});
beforeEach(() => {
  outbox.forgetAll();
  received.length = 0;
  answer = undefined;
  setAttached("s");
});

const states = () => outbox.items().map((item) => item.state);

describe("the outbox", () => {
  it("holds messages until the session is ready, then sends them in order", async () => {
    outbox.submit({ sessionId: "s", text: "one" });
    outbox.submit({ sessionId: "s", text: "two" });
    await vi.waitFor(() => expect(outbox.items().map((item) => item.reason)).toEqual(["Loading the conversation", undefined]));
    expect(received).toEqual([]);
    outbox.setReady("s", true);
    await vi.waitFor(() => expect(states()).toEqual(["sent", "sent"]));
    expect(received.map((message) => message.text)).toEqual(["one", "two"]);
  });

  it("never sends to a session that is not the one on screen", async () => {
    outbox.setReady("s", true);
    setAttached("other");
    outbox.submit({ sessionId: "s", text: "for s" });
    await vi.waitFor(() => expect(outbox.items()[0]?.reason).toBe("Open the session to send it"));
    expect(received).toEqual([]);
  });

  it("keeps a refused message for another try under the same id", async () => {
    outbox.setReady("s", true);
    answer = (ack) => ack(false);
    const id = outbox.submit({ sessionId: "s", text: "again" });
    await vi.waitFor(() => expect(states()).toEqual(["failed"]));
    answer = undefined;
    outbox.retry(id);
    await vi.waitFor(() => expect(states()).toEqual(["sent"]));
    expect(received.map((message) => message.requestId)).toEqual([id, id]);
  });

  it("does not send twice by itself when nobody knows whether it arrived", async () => {
    outbox.setReady("s", true);
    answer = () => undefined;
    const id = outbox.submit({ sessionId: "s", text: "lost?" });
    await vi.waitFor(() => expect(received).toHaveLength(1));
    viewerChannel.socket?.disconnect();
    await vi.waitFor(() => expect(states()).toEqual(["unconfirmed"]), { timeout: 12_000 });
    viewerChannel.socket?.connect();
    await vi.waitFor(() => expect(viewerChannel.connected()).toBe(true));
    outbox.submit({ sessionId: "s", text: "next" });
    answer = undefined;
    await vi.waitFor(() => expect(states()).toEqual(["unconfirmed", "sent"]), { timeout: 12_000 });
    expect(received.map((message) => message.text)).toEqual(["lost?", "next"]);
    outbox.confirm(id);
    expect(states()).toEqual(["sent"]);
  }, 30_000);

  it("follows what the relay says became of a command", async () => {
    outbox.setReady("s", true);
    const id = outbox.submit({ sessionId: "s", text: "hello" });
    await vi.waitFor(() => expect(states()).toEqual(["sent"]));
    server.of("/viewer").emit("command_status", { commandId: id, sessionId: "s", state: "rejected", at: 1, code: "moved_on" });
    await vi.waitFor(() => expect(outbox.items()[0]).toMatchObject({ state: "failed", reason: "The conversation was replaced before this arrived." }));
    server.of("/viewer").emit("command_status", { commandId: id, sessionId: "s", state: "cancelled", at: 2 });
    await vi.waitFor(() => expect(states()).toEqual([]));
  });
});
