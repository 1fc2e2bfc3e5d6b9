// A relay for looking at one session: streams, replays by number, answers commands, runs a real shell in its terminal.
// `node src/test/fake-relay/session-relay.mjs [port] [dist]`. Sessions: gallery, live, tool, long, slow, gone.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Server } from "socket.io";
import { metas, models, runner } from "./data.mjs";
import { gallery, long, play, playTool } from "./conversation.mjs";

const port = Number(process.argv[2] ?? 7498);
const dist = process.argv[3] ?? fileURLToPath(new URL("../../../dist/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png", ".webmanifest": "application/manifest+json" };
const csp = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' ws: wss:; worker-src 'self'; object-src 'none'; base-uri 'self'";
const user = { id: "u1", name: "Ana Ruiz", email: "ana@example.org", emailVerified: true, image: null };
const now = Date.now();
const iso = (offset = 0) => new Date(Date.now() + offset).toISOString();
const model = { provider: "anthropic", id: "claude-sonnet", name: "Claude Sonnet", reasoning: true, contextWindow: 200000 };
const root = process.cwd();

const TITLES = { gallery: "Fix the login flow", live: "Explain the middleware", tool: "Run the whole suite", long: "Tidy every module", ask: "Choose a database", plan: "Move images to object storage", approve: "Clean up the build folder" };
const sessions = Object.entries(TITLES).map(([sessionId, sessionName]) => ({ sessionId, shareUrl: `/session/${sessionId}`, cwd: root, startedAt: iso(-9e6), sessionName, isEphemeral: false, isActive: sessionId === "live", lastHeartbeatAt: iso(), model, runnerId: runner.runnerId, runnerName: "laptop", presence: "online", lastInputAt: iso(-6e5) }));

const state = (id) => {
  const messages = id === "long" ? long(now, Number(process.env.LONG ?? 5000)) : id === "live" || id === "tool" ? [] : gallery(now);
  return { messages, model, thinkingLevel: "medium", sessionName: TITLES[id], cwd: root, availableModels: models, availableCommands: [{ name: "review", description: "Review the open changes", source: "prompt", argumentHint: "[what]", completions: [{ value: "staged" }, { value: "branch" }] }, { name: "release-notes", description: "Write notes from the commits", source: "skill" }], todoList: metas["s-login"].todoList, analysis: null, goal: null, queuedMessages: id === "live" ? ["Then write the release notes", "And open a pull request"] : [] };
};
const meta = (id) => {
  const base = { ...metas.none, model, todoList: id === "gallery" || id === "live" ? metas["s-login"].todoList : [] };
  if (id === "ask") return { ...base, pendingQuestion: { toolCallId: "q1", questions: [{ question: "Which database should the service use?", options: ["PostgreSQL (recommended)", "SQLite", "MySQL"], type: "radio" }, { question: "Which environments get it?", options: ["Development", "Staging", "Production"], type: "checkbox" }, { question: "What matters most?", options: ["Speed", "Safety", "Cost"], type: "ranked" }] } };
  if (id === "plan") return { ...base, planModeEnabled: true, pendingPlan: metas["s-plan"].pendingPlan };
  if (id === "approve") return { ...base, pendingApproval: { promptId: "p1", title: "Run this command?", message: "It deletes files **outside** the session's folder.", toolName: "bash", fields: [{ key: "command", label: "Command", value: "rm -rf /tmp/build && cargo clean --target-dir /var/cache/target", editable: false }], actions: [{ id: "deny", label: "Deny" }, { id: "allow", label: "Allow once", style: "primary" }, { id: "always", label: "Always allow cargo clean" }] } };
  return base;
};

const logs = new Map();
const logOf = (id) => {
  if (!logs.has(id)) logs.set(id, { seq: 1, events: [{ seq: 1, event: { type: "session_active", state: state(id) } }], last: null, stopped: false, active: false });
  return logs.get(id);
};

const json = (response, status, body, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};
const body = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  try {
    return JSON.parse(Buffer.concat(parts).toString() || "{}");
  } catch {
    return {};
  }
};

async function api(request, response, url) {
  const path = url.pathname;
  const payload = request.method === "GET" ? {} : await body(request);
  if (path === "/api/auth/get-session") return json(response, 200, { session: { id: "s", userId: "u1" }, user });
  if (path === "/api/sessions/pinned") return json(response, 200, { pinnedSessions: [] });
  if (path === "/api/sessions") return json(response, 200, { sessions, persistedSessions: [], nextCursor: null });
  if (path === "/api/runners") return json(response, 200, { runners: [runner] });
  if (path === "/api/runners/terminal") return json(response, 200, { ok: true, terminalId: `t${Date.now()}`, runnerId: runner.runnerId });
  if (path.endsWith("/attachments")) return json(response, 200, { attachments: [{ attachmentId: "a1", filename: "x", mimeType: "image/png", size: 1, expiresAt: iso(9e5) }] });
  if (path.endsWith("/files")) {
    const { readdir } = await import("node:fs/promises");
    const entries = await readdir(payload.path, { withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.name !== ".git").map((entry) => ({ name: entry.name, path: `${payload.path}/${entry.name}`, isDirectory: entry.isDirectory(), isSymlink: entry.isSymbolicLink() }));
    files.sort((a, b) => b.isDirectory - a.isDirectory || a.name.localeCompare(b.name));
    return json(response, 200, { ok: true, files });
  }
  if (path.endsWith("/search-files")) return json(response, 200, { ok: true, files: ["src/main.tsx", "src/app/App.tsx", "src/app/Shell.tsx"].filter((name) => name.toLowerCase().includes(payload.query.toLowerCase())).map((name) => ({ name: name.split("/").at(-1), path: `${root}/${name}`, relativePath: name, isDirectory: false })) });
  if (path.endsWith("/read-file")) {
    const data = await readFile(payload.path).catch(() => null);
    if (!data) return json(response, 404, { error: "Not found" });
    const limit = 256 * 1024;
    return json(response, 200, { ok: true, content: payload.encoding === "base64" ? data.toString("base64") : data.subarray(0, limit).toString(), size: data.length, truncated: data.length > limit });
  }
  return json(response, 200, {});
}

const http = createServer(async (request, response) => {
  const url = new URL(request.url, "http://x");
  if (url.pathname.startsWith("/socket.io")) return;
  if (url.pathname === "/health") return json(response, 200, { status: "ok", redis: false, socketio: true, uptime: 1, version: { server: "0.1.0", socketProtocol: 1, buildTimestamp: null } });
  if (url.pathname.startsWith("/api/")) return api(request, response, url);
  const name = normalize(url.pathname).replace(/^\/+/, "");
  const file = await readFile(join(dist, name || "index.html")).catch(() => undefined);
  response.writeHead(200, { "content-type": TYPES[file ? extname(name) || ".html" : ".html"] ?? "application/octet-stream", "content-security-policy": csp });
  response.end(file ?? (await readFile(join(dist, "index.html"))));
});
const io = new Server(http, { maxHttpBufferSize: 1e8 });

io.of("/hub").on("connection", (socket) => {
  socket.emit("sessions", { sessions });
  socket.emit("decisions", { decisions: [] });
  socket.on("subscribe_session_meta", ({ sessionId }) => socket.emit("state_snapshot", { sessionId, state: meta(sessionId) }));
  socket.on("answer_decision", (_payload, ack) => ack({ ok: true }));
});
io.of("/runners").on("connection", (socket) => socket.emit("runners", { runners: [{ ...runner, roots: [root] }] }));

const viewers = io.of("/viewer");
const broadcast = (id, event, durable = true) => {
  const log = logOf(id);
  if (durable) {
    log.seq += 1;
    log.events.push({ seq: log.seq, event });
  } else log.last = event;
  for (const socket of viewers.sockets.values()) if (socket.data.id === id) socket.emit("event", { event, sessionId: id, generation: socket.data.generation, ...(durable ? { seq: log.seq } : {}) });
};
const run = async (id, work) => {
  const log = logOf(id);
  if (log.active) return;
  log.active = true;
  log.stopped = false;
  await work();
  log.active = false;
  log.last = null;
};

viewers.on("connection", (socket) => {
  socket.on("probe", (payload, ack) => ack?.({ nonce: payload.nonce, at: Date.now() }));
  socket.on("switch_session", ({ sessionId, generation, have }) => {
    socket.data = { id: sessionId, generation };
    if (sessionId === "slow") return;
    if (!TITLES[sessionId]) return void socket.emit("error", { message: "Session not found", generation });
    const log = logOf(sessionId);
    socket.emit("connected", { sessionId, lastSeq: log.seq, isActive: log.active, lastHeartbeatAt: iso(), sessionName: TITLES[sessionId], meta_source: "hub", generation, epoch: 1, presence: "online" });
    const from = have ? log.events.filter((entry) => entry.seq > have.seq) : log.events;
    for (const entry of from) {
      let { event } = entry;
      if (event.type === "session_active" && sessionId === "long" && process.env.TRUNCATE) {
        const total = event.state.messages.length;
        event = { ...event, state: { ...event.state, messages: event.state.messages.slice(-50), totalMessages: total, hasMore: true, oldestLoadedIndex: total - 50 } };
      }
      socket.emit("event", { event, seq: entry.seq, replay: true, deltaReplay: true, generation, sessionId, epoch: 1 });
    }
    if (log.last) socket.emit("event", { event: log.last, generation, sessionId });
    socket.emit("hydrated", { sessionId, generation, epoch: 1, seq: log.seq, via: have ? "delta" : "snapshot", complete: true });
    const light = { state: "up", heardAt: Date.now() };
    socket.emit("presence", { sessionId, presence: "online", at: Date.now(), generation, viewers: 1, lights: { relay: light, machine: light, agent: light, model: { state: "off", heardAt: null } } });
    if (sessionId === "live") void run("live", () => play((event, durable) => broadcast("live", event, durable), { rate: Number(process.env.RATE ?? 60), seconds: Number(process.env.SECONDS ?? 40), stopped: () => log.stopped }));
    if (sessionId === "tool") void run("tool", () => playTool((event, durable) => broadcast("tool", event, durable)));
  });
  socket.on("load_messages", ({ sessionId, before, limit }) => {
    const messages = logOf(sessionId).events[0].event.state.messages;
    const start = Math.max(0, before - limit);
    socket.emit("session_messages_page", { sessionId, messages: messages.slice(start, before), oldestIndex: start, hasMore: start > 0, generation: socket.data.generation });
  });
  socket.on("input", ({ text, requestId, sessionId }, ack) => {
    ack?.(true);
    socket.emit("command_status", { commandId: requestId, sessionId, state: "delivered", at: Date.now() });
    const message = { role: "user", content: text, timestamp: Date.now(), requestId };
    setTimeout(() => {
      broadcast(sessionId, { type: "message_start", message });
      broadcast(sessionId, { type: "message_end", message });
      socket.emit("command_status", { commandId: requestId, sessionId, state: "consumed", at: Date.now() });
      void run(sessionId, () => play((event, durable) => broadcast(sessionId, event, durable), { seconds: 6, stopped: () => logOf(sessionId).stopped }));
    }, 400);
  });
  socket.on("exec", ({ id, command, sessionId }) => {
    if (command === "abort") logOf(sessionId).stopped = true;
    const result = command === "get_fork_messages" ? { messages: [{ entryId: "e1", text: "People are sent in circles" }, { entryId: "e2", text: "Looks right." }] } : {};
    setTimeout(() => socket.emit("exec_result", { id, ok: true, command, sessionId, result }), 150);
  });
  socket.on("service_message", ({ requestId, type, payload }) => {
    const git = (...args) =>
      new Promise((resolve) => {
        const child = spawn("git", args, { cwd: payload.cwd });
        let out = "";
        child.stdout.on("data", (data) => (out += data));
        child.on("close", () => resolve(out));
      });
    const reply = (answer) => socket.emit("service_message", { serviceId: "git", type: `${type}_result`, requestId, sessionId: socket.data.id, payload: { ok: true, ...answer } });
    if (type === "git_status")
      void git("status", "--porcelain", "-uall").then((out) => reply({ branch: "main", repoRoot: payload.cwd, ahead: 2, behind: 0, hasUpstream: true, changes: out.split("\n").filter(Boolean).slice(0, 60).map((line) => ({ status: line.slice(0, 2), path: line.slice(3) })) }));
    else if (type === "git_diff") void git("diff", "HEAD", "--", payload.path).then((diff) => reply({ diff }));
    else if (type === "git_branches") reply({ branches: [{ name: "main", isCurrent: true, isRemote: false }, { name: "fix/loop", isCurrent: false, isRemote: false }] });
    else reply({});
  });
  socket.on("answer_decision", (_payload, ack) => ack?.({ ok: true }));
});

const buffers = new Map();
io.of("/terminal").on("connection", (socket) => {
  const { terminalId } = socket.handshake.auth;
  const known = buffers.get(terminalId);
  if (known) for (const data of known.past) socket.emit("terminal_data", { terminalId, data });
  socket.emit("terminal_connected", { terminalId });
  if (known) known.sockets.add(socket);
  socket.on("terminal_resize", ({ cols, rows }) => {
    if (buffers.has(terminalId)) return;
    const child = spawn("script", ["-qfc", `stty cols ${cols} rows ${rows}; exec bash --norc`, "/dev/null"], { env: { ...process.env, TERM: "xterm-256color", PS1: "\\[\\e[32m\\]ana@laptop\\[\\e[0m\\] \\w $ " } });
    const entry = { child, past: [], sockets: new Set([socket]) };
    buffers.set(terminalId, entry);
    const tell = (event, payload) => entry.sockets.forEach((one) => one.emit(event, { terminalId, ...payload }));
    child.stdout.on("data", (chunk) => {
      const data = chunk.toString("base64");
      entry.past.push(data);
      tell("terminal_data", { data });
    });
    child.on("close", (code) => tell("terminal_exit", { exitCode: code ?? -1 }));
    socket.emit("terminal_ready", { terminalId });
  });
  socket.on("terminal_input", ({ data }) => buffers.get(terminalId)?.child.stdin.write(Buffer.from(data, "base64")));
  socket.on("kill_terminal", () => buffers.get(terminalId)?.child.kill("SIGHUP"));
});

process.on("uncaughtException", (error) => console.error(error));
http.listen(port, "127.0.0.1", () => console.log(`session relay on http://127.0.0.1:${port}`));
