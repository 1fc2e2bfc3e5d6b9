// What the fake relay tells. Names and texts are invented; shapes follow the generated wire types.
const now = Date.now();
const iso = (offset) => new Date(now + offset).toISOString();
const MIN = 60_000;

export const runner = {
  runnerId: "r-laptop",
  name: "laptop",
  roots: ["/home/ana"],
  sessionCount: 5,
  skills: [
    { name: "release-notes", description: "Write notes from the commits since the last tag", filePath: "/home/ana/.pizzapi/skills/release-notes/SKILL.md" },
    { name: "sql-review", description: "Look at migrations before they run", filePath: "/home/ana/.pizzapi/skills/sql-review/SKILL.md" },
  ],
  agents: [{ name: "reviewer", description: "Reads diffs and finds what will break", filePath: "/home/ana/.pizzapi/agents/reviewer.md" }],
  plugins: [{ name: "git-helpers", description: "Commands for tidy history", rootPath: "/home/ana/.pizzapi/plugins/git-helpers", commands: [{ name: "tidy", description: "Squash fixups", argumentHint: "[base]" }], hookEvents: ["PreToolUse"], skills: [], hasMcp: false, hasAgents: false, hasLsp: false, version: "1.2.0" }],
  hooks: [{ type: "PreToolUse", scripts: ["guard.sh"] }],
  version: "0.1.0",
  platform: "darwin",
  status: "online",
};
export const runnerTwo = { ...runner, runnerId: "r-box", name: "build-box", roots: [], sessionCount: 1, platform: "linux", skills: [], agents: [], plugins: [], hooks: [], warnings: ["The tunnel endpoint is not reachable"] };

const model = { provider: "anthropic", id: "claude-sonnet", name: "Claude Sonnet" };
const session = (id, sessionName, cwd, more = {}) => ({
  sessionId: id,
  shareUrl: `http://x/session/${id}`,
  cwd,
  startedAt: iso(-90 * MIN),
  sessionName,
  isEphemeral: false,
  isActive: false,
  lastHeartbeatAt: iso(-1000),
  model,
  runnerId: "r-laptop",
  runnerName: "laptop",
  presence: "online",
  lastInputAt: iso(-12 * MIN),
  ...more,
});

export const sessions = [
  session("s-login", "Fix the login flow", "/home/ana/app", { isActive: true, lastInputAt: iso(-3 * MIN) }),
  session("s-refactor", "Split the billing module", "/home/ana/app", { isActive: true, lastInputAt: iso(-8 * MIN) }),
  session("s-child", "Check the callers of charge()", "/home/ana/app", { isActive: true, parentSessionId: "s-refactor", lastInputAt: iso(-6 * MIN) }),
  session("s-docs", "Docs for the public API", "/home/ana/app/.worktrees/docs", { lastInputAt: iso(-40 * MIN) }),
  session("s-landing", "Landing page, second try", "/home/ana/site", { lastInputAt: iso(-3 * 60 * MIN) }),
  session("s-plan", "Move images to object storage", "/home/ana/site", { lastInputAt: iso(-20 * MIN) }),
  session("s-ci", "Why is CI slow?", "/srv/ci", { runnerId: "r-box", runnerName: "build-box", lastInputAt: iso(-26 * 60 * MIN) }),
  session("s-away", null, "/home/ana/notes", { presence: "reconnecting", lastInputAt: iso(-30 * 60 * MIN) }),
];

const empty = { todoList: [], pendingQuestion: null, pendingPlan: null, planModeEnabled: false, isCompacting: false, retryState: null, pendingPluginTrust: null, pendingApproval: null, mcpStartupReport: null, tokenUsage: { input: 52000, output: 8100, cacheRead: 410000, cacheWrite: 22000, cost: 0.84, contextTokens: 61000 }, providerUsage: null, thinkingLevel: "medium", authSource: "api_key", model: { ...model, reasoning: true, contextWindow: 200000 }, goal: null, version: 3 };
export const metas = {
  none: empty,
  "s-login": {
    ...empty,
    pendingQuestion: { toolCallId: "q1", questions: [{ question: "Should an expired session send people back to where they were?", options: ["Yes, after signing in again", "No, always to the start page", "Ask them"], type: "radio" }] },
    todoList: [
      { id: 1, text: "Read the middleware", status: "done" },
      { id: 2, text: "Reproduce the loop", status: "done" },
      { id: 3, text: "Fix the redirect", status: "in_progress" },
      { id: 4, text: "Cover it with a test", status: "pending" },
    ],
  },
  "s-refactor": { ...empty, todoList: [{ id: 1, text: "Map the callers", status: "in_progress" }, { id: 2, text: "Move the types", status: "pending" }] },
  "s-plan": {
    ...empty,
    pendingPlan: { toolCallId: "p1", title: "Move uploads to object storage", description: "Keeps old URLs working while files move in the background.", steps: [{ title: "Add a storage adapter", description: "Local disk and S3 behind one trait" }, { title: "Write new uploads to both" }, { title: "Backfill and switch reads" }] },
  },
};

export const models = [
  { provider: "anthropic", id: "claude-sonnet", name: "Claude Sonnet", reasoning: true, contextWindow: 200000 },
  { provider: "anthropic", id: "claude-haiku", name: "Claude Haiku", contextWindow: 200000 },
  { provider: "openai", id: "gpt-5", name: "GPT-5", reasoning: true, contextWindow: 400000 },
  { provider: "ollama", id: "qwen3-coder", name: "Qwen3 Coder", contextWindow: 131072 },
];
export const providers = [
  { id: "anthropic", name: "Anthropic", types: ["oauth", "api_key"], configured: true },
  { id: "openai", name: "OpenAI", types: ["api_key"], configured: true },
  { id: "openrouter", name: "OpenRouter", types: ["api_key"], configured: false },
  { id: "ollama", name: "Ollama (local)", types: ["api_key"], configured: true },
  { id: "demo", name: "Demo model", types: ["api_key"], configured: false },
];

const stored = (id, sessionName, cwd, offset, more = {}) => ({ sessionId: id, cwd, shareUrl: "", startedAt: iso(offset - 40 * MIN), lastActiveAt: iso(offset), endedAt: iso(offset), isEphemeral: false, expiresAt: null, isPinned: false, runnerId: "r-laptop", runnerName: "laptop", sessionName, ...more });
export const persisted = [
  stored("h-1", "House rules for commits", "/home/ana/app", -2 * 24 * 60 * MIN, { isPinned: true }),
  stored("h-2", "Upgrade the database driver", "/home/ana/app", -5 * 60 * MIN),
  stored("h-3", "Colour contrast in charts", "/home/ana/site", -27 * 60 * MIN),
  stored("h-4", null, "/home/ana/notes", -4 * 24 * 60 * MIN),
  stored("h-5", "Profile the importer", "/srv/ci", -12 * 24 * 60 * MIN, { runnerId: "r-box", runnerName: "build-box" }),
];

const say = (text) => [{ type: "text", text }];
export function transcript() {
  const at = now - 20 * MIN;
  return {
    messages: [
      { role: "user", content: say("People who sign in after their session ran out end up in a redirect loop. Find out why and fix it."), timestamp: at },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "The middleware probably redirects to /sign-in with next=/sign-in. Let me read it first." },
          { type: "text", text: "I'll start with the middleware, since every request passes it." },
          { type: "toolCall", id: "t1", name: "read", arguments: { path: "src/middleware/auth.ts" } },
          { type: "toolCall", id: "t2", name: "bash", arguments: { command: "npm test -- auth" } },
        ],
        timestamp: at + 5_000,
        stopReason: "toolUse",
      },
      { role: "toolResult", toolCallId: "t1", toolName: "read", content: say("export function auth(request) {\n  if (!request.session) return redirect(`/sign-in?next=${request.url}`);\n}"), isError: false, timestamp: at + 6_000 },
      { role: "toolResult", toolCallId: "t2", toolName: "bash", content: say("\u001b[31m✗\u001b[39m keeps the wanted page\n  expected /orders, got /sign-in?next=%2Fsign-in\n\n1 failed, 14 passed"), isError: true, timestamp: at + 19_000 },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Found it. The guard also runs **on the sign-in page itself**, so `next` points back at `/sign-in`:\n\n```ts\nif (!request.session) {\n  return redirect(`/sign-in?next=${request.url}`);\n}\n```\n\nTwo things to change:\n\n1. leave the sign-in routes alone\n2. never accept `next` that points at one of them\n\n| case | before | after |\n|---|---|---|\n| expired on `/orders` | loop | back to `/orders` |\n| opened `/sign-in` | loop | start page |\n" },
          { type: "toolCall", id: "t3", name: "edit", arguments: { path: "src/middleware/auth.ts", oldText: "  if (!request.session) return redirect(`/sign-in?next=${request.url}`);", newText: "  if (isPublic(request.path)) return undefined;\n  if (!request.session) return redirect(`/sign-in?next=${encodeURIComponent(request.url)}`);" } },
        ],
        timestamp: at + 30_000,
        stopReason: "toolUse",
      },
      { role: "toolResult", toolCallId: "t3", toolName: "edit", content: say("Edited src/middleware/auth.ts"), isError: false, timestamp: at + 31_000 },
    ],
    model: { provider: "anthropic", id: "claude-sonnet", name: "Claude Sonnet" },
    thinkingLevel: "medium",
    sessionName: "Fix the login flow",
    cwd: "/home/ana/app",
    availableModels: models,
  };
}

const days = Array.from({ length: 30 }, (_, index) => {
  const date = new Date(now - (29 - index) * 24 * 60 * MIN).toISOString().slice(0, 10);
  const weight = [0, 6].includes(new Date(date).getDay()) ? 0.15 : 0.5 + ((index * 37) % 17) / 17;
  return { date, sessions: Math.round(weight * 9), cost: weight * 6, costInput: weight * 1.6, costOutput: weight * 2.9, costCacheRead: weight, costCacheWrite: weight * 0.5, inputTokens: weight * 120_000, outputTokens: weight * 60_000, cacheReadTokens: weight * 900_000, cacheWriteTokens: weight * 60_000 };
});
const sum = (key) => days.reduce((total, day) => total + day[key], 0);
export const usage = {
  generatedAt: iso(0),
  summary: { totalSessions: sum("sessions"), totalCost: sum("cost"), totalInputTokens: sum("inputTokens"), totalOutputTokens: sum("outputTokens"), totalCacheReadTokens: sum("cacheReadTokens"), totalCacheWriteTokens: sum("cacheWriteTokens"), sessionsWithCost: sum("sessions") - 6 },
  daily: days,
  byModel: [{ provider: "anthropic", model: "Claude Sonnet", sessions: 88, cost: 71.2, inputTokens: 2e6, outputTokens: 9e5 }, { provider: "openai", model: "GPT-5", sessions: 21, cost: 18.4, inputTokens: 8e5, outputTokens: 2e5 }],
  byProject: [{ project: "/home/ana/app", projectShort: "app", sessions: 70, cost: 60.3, inputTokens: 1e6, outputTokens: 5e5 }, { project: "/home/ana/site", projectShort: "site", sessions: 39, cost: 29.3, inputTokens: 1e6, outputTokens: 5e5 }],
  recentSessions: persisted.map((row) => ({ id: row.sessionId, project: row.cwd, projectShort: row.cwd.split("/").pop(), sessionName: row.sessionName, startedAt: row.startedAt, endedAt: row.endedAt, messageCount: 34, totalCost: 1.27, primaryModel: "Claude Sonnet" })),
};
