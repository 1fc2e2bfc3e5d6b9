// A relay made of canned data, for looking at screens without building the real one. Speaks real Socket.IO and serves the
// built interface. `node src/test/fake-relay/server.mjs [port] [scenario]`; scenarios: full (default), empty, nomodel.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Server } from "socket.io";
import { metas, models, persisted, providers, runner, runnerTwo, sessions, transcript, usage } from "./data.mjs";

const port = Number(process.argv[2] ?? 7499);
const scenario = process.argv[3] ?? "full";
const dist = fileURLToPath(new URL("../../../dist/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png", ".webmanifest": "application/manifest+json" };
const user = { id: "u1", name: "Ana Ruiz", email: "ana@example.org", emailVerified: true, image: null };
const runners = scenario === "empty" ? [] : scenario === "nomodel" ? [runner] : [runner, runnerTwo];
const live = scenario === "full" ? sessions : [];

const csp = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws: wss: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'";
const json = (response, status, body, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};
const read = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const text = Buffer.concat(parts).toString();
  return text ? JSON.parse(text) : {};
};

async function api(request, response, url) {
  const path = url.pathname;
  const signedIn = /sid=1/.test(request.headers.cookie ?? "");
  const body = request.method === "GET" ? {} : await read(request).catch(() => ({}));
  if (path === "/api/auth/get-session") return json(response, 200, signedIn ? { session: { id: "s", userId: "u1" }, user } : null);
  if (path === "/api/signup-status") return json(response, 200, { signupEnabled: true });
  if (path === "/api/auth/sign-in/email") {
    if (body.password !== "Secret123") return json(response, 401, { code: "INVALID_EMAIL_OR_PASSWORD", message: "Invalid" });
    return json(response, 200, { token: "t", user }, { "set-cookie": "sid=1; Path=/" });
  }
  if (path === "/api/auth/sign-up/email") return json(response, 200, { token: "t", user }, { "set-cookie": "sid=1; Path=/" });
  if (!signedIn) return json(response, 401, { error: "Unauthorized" });
  if (path === "/api/auth/sign-out") return json(response, 200, { success: true }, { "set-cookie": "sid=0; Path=/" });
  if (path === "/api/auth/list-sessions") return json(response, 200, [{ id: "l1", token: "a", createdAt: iso(-9e8), updatedAt: iso(-60e3), expiresAt: iso(9e8), ipAddress: "192.0.2.7", userAgent: "Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/140.0" }, { id: "l2", token: "b", createdAt: iso(-9e8), updatedAt: iso(-9e7), expiresAt: iso(9e8), ipAddress: "192.0.2.8", userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18) Safari/605" }]);
  if (path === "/api/auth/api-key/list") return json(response, 200, [{ id: "k1", name: "runner-laptop", start: "ppruAb", prefix: "ppru", createdAt: iso(-9e8), expiresAt: null, lastRequest: iso(-60e3), enabled: true }]);
  if (path === "/api/auth/api-key/create") return json(response, 200, { id: "k2", name: body.name, start: "ppruXy", prefix: body.prefix, createdAt: iso(0), expiresAt: null, lastRequest: null, enabled: true, key: `${body.prefix}${"k3yV4lue".repeat(8)}` });
  if (path === "/api/sessions/pinned") return json(response, 200, { pinnedSessions: scenario === "full" ? [persisted[0]] : [] });
  if (path === "/api/sessions") return json(response, 200, { sessions: live, persistedSessions: scenario === "full" ? persisted : [], nextCursor: null });
  if (path === "/api/runners") return json(response, 200, { runners });
  if (path === "/api/webhooks") return json(response, 200, { webhooks: [{ id: "w1", name: "Nightly checks", source: "custom", runnerId: runner.runnerId, cwd: "/home/ana/app", prompt: "Run the checks", enabled: true }] });
  if (path === "/api/settings/hidden-models") return json(response, 200, { hiddenModels: [] });
  if (path.startsWith("/api/setup-claim-info/")) return json(response, 200, { status: "pending", label: "build-box" });
  if (path.startsWith("/api/setup-claim/")) return json(response, 200, { ok: true });
  if (path === "/api/runners/spawn") return json(response, 200, { ok: true, runnerId: body.runnerId, sessionId: "new-one", pending: false });
  const match = /^\/api\/runners\/[^/]+\/(.+)$/.exec(path);
  switch (match?.[1]) {
    case "models":
      return json(response, 200, { models: scenario === "nomodel" ? [] : models });
    case "recent-folders":
      return json(response, 200, { folders: scenario === "full" ? ["/home/ana/app", "/home/ana/site", "/home/ana/notes"] : [] });
    case "browse":
      return json(response, 200, { directories: ["app", "docs", "notes", "site", ".config"].map((name) => ({ name, path: `${url.searchParams.get("path").replace(/\/$/, "")}/${name}` })) });
    case "providers":
      return json(response, 200, { ok: true, providers: scenario === "nomodel" ? providers.map((provider) => ({ ...provider, configured: false })) : providers });
    case "providers/login":
      return json(response, 200, { ok: true, step: { state: "prompt", loginId: "x", prompt: { type: "secret", message: "API key", placeholder: "sk-…" } } });
    case "providers/login/submit":
      return json(response, 200, { ok: true, step: { state: "done", providerId: "anthropic" } });
    case "skills":
      return json(response, 200, { skills: runner.skills });
    case "agents":
      return json(response, 200, { agents: runner.agents });
    case "plugins":
      return json(response, 200, { plugins: runner.plugins });
    case "settings":
      return json(response, 200, { ok: true, config: { mcpServers: { github: { command: "npx", args: ["-y", "server-github"], env: { GITHUB_TOKEN: "***" } }, docs: { url: "https://docs.example.org/mcp" } } }, tuiSettings: {}, agentsMd: "" });
    case "sandbox-status":
      return json(response, 200, { ok: true, mode: "basic", active: true, platform: "linux", violations: 0, recentViolations: [], config: { filesystem: { allowWrite: ["/tmp"] } } });
    case "triggers":
      return json(response, 200, { triggerDefs: [{ type: "time:cron", label: "On a schedule", params: [{ name: "cron", label: "Schedule", type: "string", required: true }] }], listeners: path.includes("r-laptop") ? [{ listenerId: "li1", triggerType: "time:cron", prompt: "Look for outdated dependencies", cwd: "/home/ana/app", params: { cron: "30 7 * * 1-5" } }] : [] });
    case "schedules":
      return json(response, 200, { schedules: path.includes("r-laptop") ? [{ subscriptionId: "sc1", triggerType: "time:at", params: { at: "2026-12-01T09:00:00Z" }, sessionId: "s-docs", sessionName: "Docs for the public API", cwd: "/home/ana/app", sessionLive: true }] : [] });
    case "usage":
      return json(response, 200, usage);
  }
  return json(response, 404, { error: "Not found" });
}

function iso(offset) {
  return new Date(Date.now() + offset).toISOString();
}

const http = createServer(async (request, response) => {
  const url = new URL(request.url, "http://x");
  if (url.pathname.startsWith("/socket.io")) return;
  if (url.pathname === "/health") return json(response, 200, { status: "ok", redis: false, socketio: true, uptime: 4210, version: { server: "0.1.0", socketProtocol: 1, buildTimestamp: null } });
  if (url.pathname.startsWith("/api/")) return api(request, response, url);
  const name = normalize(url.pathname).replace(/^\/+/, "");
  const file = await readFile(join(dist, name || "index.html")).catch(() => undefined);
  const kind = file ? extname(name) || ".html" : ".html";
  response.writeHead(200, { "content-type": TYPES[kind] ?? "application/octet-stream", "content-security-policy": csp });
  response.end(file ?? (await readFile(join(dist, "index.html")).catch(() => "The interface is not built: npm run build")));
});

const io = new Server(http, { maxHttpBufferSize: 1e8 });
io.of("/hub").on("connection", (socket) => {
  socket.emit("sessions", { sessions: live.map((session) => ({ ...session, lastHeartbeatAt: iso(-2_000) })) });
  socket.emit("decisions", { decisions: [] });
  socket.on("subscribe_session_meta", ({ sessionId }) => socket.emit("state_snapshot", { sessionId, state: metas[sessionId] ?? metas.none }));
  socket.on("answer_decision", (payload, ack) => ack({ ok: true }));
});
io.of("/runners").on("connection", (socket) => socket.emit("runners", { runners }));
io.of("/viewer").on("connection", (socket) => {
  socket.on("probe", (payload, ack) => ack({ nonce: payload.nonce, at: Date.now() }));
  socket.on("switch_session", ({ sessionId, generation }) => {
    const session = live.find((one) => one.sessionId === sessionId);
    if (!session) {
      socket.emit("disconnected", { reason: "Session ended", code: "session_ended", generation, sessionId });
      return;
    }
    const state = transcript(sessionId);
    socket.emit("connected", { sessionId, lastSeq: 1, isActive: session.isActive, lastHeartbeatAt: iso(0), sessionName: session.sessionName, meta_source: "hub", generation, epoch: 1, presence: "online" });
    socket.emit("event", { event: { type: "session_active", state }, seq: 1, replay: true, generation, sessionId, epoch: 1 });
    socket.emit("hydrated", { sessionId, generation, epoch: 1, seq: 1, via: "snapshot", complete: true });
    socket.emit("presence", { sessionId, presence: "online", at: Date.now(), generation, viewers: 1 });
  });
  socket.on("input", (payload, ack) => ack(true));
  socket.on("exec", ({ id, command, sessionId }) => socket.emit("exec_result", { id, ok: true, command, sessionId, result: {} }));
  socket.on("answer_decision", (payload, ack) => ack({ ok: true }));
});
http.listen(port, "127.0.0.1", () => console.log(`fake relay (${scenario}) on http://127.0.0.1:${port}, sign in with ana@example.org / Secret123`));
