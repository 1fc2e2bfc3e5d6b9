// The yardstick: the relay's fan-out semantics on socket.io and Node, storing nothing. A session registers, its events are acknowledged and
// broadcast to the viewers of its room with a number. Everything a real relay must also do (durability, replay, access) is left out, so
// the comparison flatters this side.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((request, response) => response.end("ok"));
const io = new Server(http, { maxHttpBufferSize: 100 * 1024 * 1024, pingInterval: 30_000, pingTimeout: 60_000 });
const seqs = new Map();

io.of("/relay").on("connection", (socket) => {
  let session = "";
  socket.on("register", (data) => {
    session = data.sessionId;
    seqs.set(session, seqs.get(session) ?? 0);
    socket.emit("registered", { sessionId: session, token: "t".repeat(64), shareUrl: "", isEphemeral: true, collabMode: true, parentSessionId: null, serverTime: Date.now() });
  });
  socket.on("event", (data) => {
    const seq = seqs.get(session) + 1;
    seqs.set(session, seq);
    socket.emit("event_ack", { sessionId: session, seq: data.seq });
    io.of("/viewer").to(session).emit("event", { event: data.event, seq, sessionId: session });
  });
});

io.of("/viewer").on("connection", (socket) => {
  socket.on("switch_session", (data) => {
    socket.join(data.sessionId);
    socket.emit("connected", { sessionId: data.sessionId, lastSeq: seqs.get(data.sessionId) ?? 0, generation: data.generation });
  });
});

http.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
