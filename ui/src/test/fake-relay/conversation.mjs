// Conversations for the fake relay: one with every kind of item, one that streams, one that is very long.
const MIN = 60_000;
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const usage = { input: 1200, output: 300, cacheRead: 0, cacheWrite: 0, totalTokens: 1500, cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 } };

class Script {
  constructor(at) {
    this.at = at;
    this.messages = [];
    this.serial = 0;
  }
  tick(ms = 1500) {
    return (this.at += ms);
  }
  user(content, more = {}) {
    this.messages.push({ role: "user", content, timestamp: this.tick(4000), id: `u${++this.serial}`, ...more });
    return this;
  }
  say(...content) {
    const stop = content.some((block) => block.type === "toolCall") ? "toolUse" : "stop";
    this.messages.push({ role: "assistant", content, api: "anthropic-messages", provider: "anthropic", model: "claude-sonnet", usage, stopReason: stop, timestamp: this.tick(), id: `a${++this.serial}` });
    return this;
  }
  fail(errorMessage) {
    this.messages.push({ role: "assistant", content: [], api: "x", provider: "anthropic", model: "claude-sonnet", usage, stopReason: "error", errorMessage, timestamp: this.tick(), id: `a${++this.serial}` });
    return this;
  }
  result(toolCallId, toolName, text, more = {}) {
    this.messages.push({ role: "toolResult", toolCallId, toolName, content: text === null ? [] : [{ type: "text", text }], isError: false, timestamp: this.tick(800), ...more });
    return this;
  }
  push(message) {
    this.messages.push({ timestamp: this.tick(), ...message });
    return this;
  }
}

const text = (value) => ({ type: "text", text: value });
const thinking = (value, seconds) => ({ type: "thinking", thinking: value, durationSeconds: seconds });
const call = (id, name, args) => ({ type: "toolCall", id, name, arguments: args });

export function gallery(now) {
  const script = new Script(now - 26 * 60 * MIN);
  script
    .user("People are sent in circles when their session expires. Find out why, fix it, and add a test.")
    .say(thinking("The redirect loop probably comes from the middleware reading the old cookie. I should look at the auth module first, then reproduce it.", 7), text("I'll look at the middleware and the places that set the cookie."), call("t1", "grep", { pattern: "redirect\\(", path: "src" }), call("t2", "read", { path: "/home/ana/app/src/auth/middleware.ts" }), call("t3", "read", { path: "/home/ana/app/src/auth/session.ts", offset: 40, limit: 60 }))
    .result("t1", "grep", "src/auth/middleware.ts:31: return redirect(loginUrl(request))\nsrc/auth/middleware.ts:48: return redirect('/')\nsrc/pages/login.tsx:12: redirect(next ?? '/')")
    .result("t2", "read", "import { readSession } from './session'\n\nexport async function middleware(request: Request) {\n  const session = await readSession(request)\n  // an expired session still has a cookie\n  if (!session && !isPublic(request.url)) {\n    return redirect(loginUrl(request))\n  }\n}\n")
    .result("t3", "read", "export async function readSession(request: Request) {\n  const token = cookie(request, 'sid')\n  if (!token) return null\n  return store.get(token)\n}\n")
    .say(thinking("", 3), call("t4", "bash", { command: "npm test -- --run src/auth", title: "Run the auth tests" }), call("t5", "ls", { path: "/home/ana/app/src/auth" }))
    .result("t4", "bash", "\u001b[1m RUN \u001b[22m v4.1.12 /home/ana/app\n\n \u001b[32m✓\u001b[39m src/auth/session.test.ts \u001b[2m(6 tests)\u001b[22m 41ms\n \u001b[31m×\u001b[39m src/auth/middleware.test.ts \u001b[2m(3 tests)\u001b[22m 88ms\n   \u001b[31m→ expected 302 to be 200\u001b[39m\n\n Test Files  \u001b[31m1 failed\u001b[39m | \u001b[32m1 passed\u001b[39m (2)", { isError: true, details: { exitCode: 1, durationMs: 4180 } })
    .result("t5", "ls", "middleware.test.ts\nmiddleware.ts\nsession.test.ts\nsession.ts")
    .say(
      text(
        "Found it. An **expired** session still has its cookie, so `readSession` returns `null`, the middleware redirects to `/login`, and the login page sees the cookie and sends people straight back.\n\n### What I'll change\n\n1. Clear the cookie when the store no longer knows it\n2. Keep where the person was in `next`, checked against our own origin\n3. Cover both with tests\n\n| Case | Before | After |\n|---|---|---:|\n| no cookie | login | login |\n| expired cookie | **loop** | login, then back |\n| foreign `next` | followed | start page |\n\n```ts\nexport async function readSession(request: Request): Promise<Session | null> {\n  const token = cookie(request, \"sid\");\n  if (!token) return null;\n  const session = await store.get(token); // null once it expired\n  return session ?? expired(token);\n}\n```\n\nSee `src/auth/middleware.ts:31` for the first redirect. More in the [cookie docs](https://developer.mozilla.org/docs/Web/HTTP/Cookies).",
      ),
      call("t6", "edit", { path: "/home/ana/app/src/auth/session.ts", edits: [{ oldText: "  if (!token) return null\n  return store.get(token)\n", newText: "  if (!token) return null\n  const session = await store.get(token)\n  if (!session) return expired(token)\n  return session\n" }] }),
      call("t7", "write", { path: "/home/ana/app/src/auth/loop.test.ts", content: "import { expect, test } from 'vitest'\n\ntest('an expired session leads to the login page once', async () => {\n  const first = await visit('/reports', { cookie: 'sid=old' })\n  expect(first.location).toBe('/login?next=%2Freports')\n})\n" }),
    )
    .result("t6", "edit", "Edited /home/ana/app/src/auth/session.ts", { details: { patch: "--- a/src/auth/session.ts\n+++ b/src/auth/session.ts\n@@ -40,6 +40,8 @@ import { store } from './store'\n export async function readSession(request: Request) {\n   const token = cookie(request, 'sid')\n   if (!token) return null\n-  return store.get(token)\n+  const session = await store.get(token)\n+  if (!session) return expired(token)\n+  return session\n }\n", firstChangedLine: 43 } })
    .result("t7", "write", "wrote 268 bytes")
    .push({ role: "compactionSummary", summary: "The loop was found in `readSession`; a fix and a test were written.", tokensBefore: 182000 })
    .user("Looks right. Does the mobile app need the same change?", { content: [text("Looks right. Does the mobile app need the same change?"), { type: "image", data: PIXEL, mimeType: "image/png", width: 640, height: 360 }] });
  script.at = now - 9 * MIN;
  script
    .say(thinking("Check the mobile client for cookie handling.", 12), call("t8", "AskUserQuestion", { questions: [{ question: "Which app do you mean?", options: ["iOS", "Android", "Both"] }] }))
    .result("t8", "AskUserQuestion", "User answered: Both")
    .say(text("Both use the token header, so neither loops."), call("t9", "update_todo", { todos: [{ id: 1, text: "Read the middleware", status: "done" }, { id: 2, text: "Fix the redirect", status: "done" }, { id: 3, text: "Cover it with a test", status: "in_progress" }] }), call("t10", "mcp__linear__create_issue", { title: "Session loop on expiry", team: "web" }), call("t11", "bash", { command: "git commit -qam 'auth: Clear expired cookies'", title: "Commit" }), call("t12", "bash", { command: "seq 1 200" }))
    .result("t9", "update_todo", "ok")
    .result("t10", "mcp__linear__create_issue", '{"id":"WEB-412"}', { details: { durationMs: 1900 } })
    .result("t11", "bash", "", { details: { exitCode: 0 } })
    .result("t12", "bash", Array.from({ length: 200 }, (_, line) => `line ${line + 1}`).join("\n"), { details: { exitCode: 0, durationMs: 320 } })
    .push({ role: "custom", customType: "background-bash", content: "`npm run build` (pid 4121) finished with code 0 after 48 s.", display: true })
    .user("/deploy staging")
    .fail("529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}")
    .user("Try again")
    .say(text("Deployed to staging. All 41 checks passed:\n\n- [x] smoke tests\n- [x] login with an expired cookie\n- [ ] load test, runs tonight\n\n> Nothing else changed."));
  return script.messages;
}

/** A long session: `count` events' worth of messages. */
export function long(now, count) {
  const script = new Script(now - 40 * 60 * MIN);
  let turn = 0;
  while (script.messages.length < count) {
    turn += 1;
    script.user(`Step ${turn}: look at module ${turn % 37} and tidy what you find.`);
    for (let round = 0; round < 5; round += 1) {
      const id = `c${turn}-${round}`;
      script.say(thinking("Look first.", 2), text(`Module ${turn} part ${round}. It **holds** \`${"abcdefgh"[round]}\` and ${"several words ".repeat(6 + ((turn * 7 + round) % 20))}`), call(id, round % 2 ? "bash" : "read", round % 2 ? { command: `cargo test -p m${turn}` } : { path: `/home/ana/app/src/m${turn}.rs` }));
      script.result(id, round % 2 ? "bash" : "read", `result of ${id}\n`.repeat(4));
    }
    script.say(text(`Done with step ${turn}.\n\n\`\`\`rust\nfn step_${turn}() -> usize {\n    ${turn}\n}\n\`\`\``));
    script.at += 90_000;
  }
  return script.messages;
}

const WORDS = "The middleware reads the cookie before it asks the store, so a session that expired looks like one that never was. ".split(" ");

/** Plays a run to `send(event)` at `rate` events per second until it is over or `stopped()`. */
export function play(send, { rate = 60, seconds = 30, stopped = () => false } = {}) {
  const at = Date.now();
  const message = { role: "assistant", api: "x", provider: "anthropic", model: "claude-sonnet", usage, stopReason: "pending", timestamp: at, id: `live${at}` };
  const content = [{ type: "thinking", thinking: "" }];
  let step = 0;
  send({ type: "agent_start" });
  send({ type: "message_start", message: { ...message, content: [] } });
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      step += 1;
      const last = content.at(-1);
      if (step < rate) last.thinking += `${WORDS[step % WORDS.length]} `;
      else {
        if (last.type === "thinking") content.push(text("## What is going on\n\n"));
        const block = content.at(-1);
        block.text += `${WORDS[step % WORDS.length]} `;
        if (step % 90 === 0) block.text += "\n\n```ts\nconst answer = await store.get(token);\nif (!answer) return expired(token);\n```\n\n";
        else if (step % 40 === 0) block.text += "\n\n";
        else if (step % 55 === 0) block.text += "\n\n- one **bold** point\n- and `another`\n\n";
      }
      send({ type: "message_update", message: { ...message, content: structuredClone(content) }, assistantMessageEvent: { type: "text_delta", contentIndex: content.length - 1, delta: "" } }, false);
      if (step >= rate * seconds || stopped()) {
        clearInterval(timer);
        send({ type: "message_end", message: { ...message, content, stopReason: stopped() ? "aborted" : "stop" } });
        send({ type: "agent_end" });
        send({ type: "heartbeat", active: false, isCompacting: false, ts: Date.now(), model: null, sessionName: null, uptime: null, cwd: null, queuedMessages: [] }, false);
        resolve();
      }
    }, 1000 / rate);
  });
}

/** A command that prints for a while. */
export async function playTool(send, seconds = 8) {
  const id = `tool${Date.now()}`;
  const at = Date.now();
  const message = { role: "assistant", api: "x", provider: "anthropic", model: "claude-sonnet", usage, timestamp: at, id: `m${at}`, content: [text("I'll run the whole suite."), call(id, "bash", { command: "cargo test --workspace", title: "Run the whole suite" })], stopReason: "toolUse" };
  send({ type: "agent_start" });
  send({ type: "message_start", message: { ...message, content: [], stopReason: "pending" } });
  send({ type: "message_end", message });
  send({ type: "tool_execution_start", toolCallId: id, toolName: "bash", args: message.content[1].arguments });
  let output = "";
  for (let line = 0; line < seconds * 5; line += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    output += `test module_${line}::works ... \u001b[32mok\u001b[0m\n`;
    send({ type: "tool_execution_update", toolCallId: id, toolName: "bash", args: {}, partialResult: { content: [text(output)] } }, false);
  }
  const result = { content: [text(`${output}\ntest result: ok.`)], details: { exitCode: 0 } };
  send({ type: "tool_execution_end", toolCallId: id, toolName: "bash", result, isError: false });
  send({ type: "message_end", message: { role: "toolResult", toolCallId: id, toolName: "bash", isError: false, timestamp: Date.now(), ...result } });
  send({ type: "agent_end" });
}
