/** What a tool run is called in one line. Pure: names, arguments and results in, words out. */

import { isObject, list, number, object, strings, stringify, text, words, type JsonObject } from "@/transcript/json";
import { plainText } from "@/transcript/message";
import type { ToolItem, ToolState } from "@/transcript/model";
import { plural, shortPath } from "@/data/format";

export type ToolKind =
  | "bash"
  | "read"
  | "edit"
  | "write"
  | "search"
  | "list"
  | "todo"
  | "question"
  | "plan"
  | "plan-switch"
  | "agent"
  | "session"
  | "web-search"
  | "web-fetch"
  | "rename"
  | "shells"
  | "memory"
  | "time"
  | "trigger"
  | "mcp"
  | "other";

const KINDS: Record<string, ToolKind> = {
  bash: "bash", shell: "bash", run_command: "bash", execute: "bash",
  read: "read", read_file: "read", view: "read",
  edit: "edit", multiedit: "edit", multi_edit: "edit", apply_patch: "edit", str_replace: "edit",
  write: "write", write_file: "write", create_file: "write",
  grep: "search", find: "search", glob: "search", search: "search", search_files: "search",
  ls: "list", list_files: "list", list_directory: "list",
  update_todo: "todo", todowrite: "todo", todo: "todo",
  askuserquestion: "question", plan_mode: "plan", toggle_plan_mode: "plan-switch",
  subagent: "agent", task: "agent", run_workflow: "agent", run_saved_workflow: "agent",
  spawn_session: "session", tell_child: "session", send_message: "session", wait_for_message: "session", check_messages: "session",
  web_search: "web-search", websearch: "web-search", web_fetch: "web-fetch", webfetch: "web-fetch",
  set_session_name: "rename", bash_output: "shells", kill_shell: "shells",
  memory_save: "memory", memory_append: "memory", memory_edit: "memory", memory_read: "memory", memory_list: "memory", recap: "memory",
  get_current_time: "time", respond_to_trigger: "trigger", escalate_trigger: "trigger", fire_trigger: "trigger",
};

export function kindOf(name: string): ToolKind {
  if (name.startsWith("mcp__")) return "mcp";
  return KINDS[name.toLowerCase()] ?? "other";
}

export interface Line {
  readonly verb: string;
  readonly object: string;
  /** The object is code or a path. */
  readonly mono: boolean;
  /** What came of it, short. */
  readonly result: string | null;
  /** Lines added and removed, for changes of files. */
  readonly change: { readonly added: number; readonly removed: number } | null;
}

type Verbs = readonly [running: string, done: string];

function verb(state: ToolState, [running, done]: Verbs): string {
  return state === "running" || state === "preparing" ? running : done;
}

export function pathOf(args: JsonObject): string | null {
  return words(args["path"]) ?? words(args["file_path"]) ?? words(args["filePath"]);
}

/** A path as seen from the session's folder. */
export function relative(path: string, cwd: string | null): string {
  if (cwd && path === cwd) return ".";
  if (cwd && path.startsWith(`${cwd.replace(/\/$/, "")}/`)) return path.slice(cwd.replace(/\/$/, "").length + 1);
  return shortPath(path);
}

export function describe(item: ToolItem, cwd: string | null): Line {
  const { args, state } = item;
  const plain = (words: Verbs, object: string, mono = false, result: string | null = null): Line => ({ verb: verb(state, words), object, mono, result, change: null });
  const path = pathOf(args);
  const place = path ? relative(path, cwd) : "";
  switch (kindOf(item.name)) {
    case "bash": {
      const command = text(args["command"]) ?? "";
      const title = words(args["title"]) ?? words(args["description"]);
      return plain(["Running", "Ran"], title ?? firstLine(command), title === null);
    }
    case "read": {
      const from = number(args["offset"]);
      const count = number(args["limit"]);
      const range = from === null && count === null ? "" : `:${from ?? 1}${count === null ? "" : `–${(from ?? 1) + count - 1}`}`;
      return plain(["Reading", "Read"], place + range, true);
    }
    case "edit": {
      const counts = editCounts(item);
      return { ...plain(["Editing", "Edited"], place, true), change: counts && (counts.added || counts.removed) ? counts : null };
    }
    case "write": {
      const content = text(args["content"]);
      const count = content === null ? 0 : content.replace(/\n$/, "").split("\n").length;
      return { ...plain(["Writing", "Wrote"], place, true), change: count > 0 ? { added: count, removed: 0 } : null };
    }
    case "search": {
      const pattern = words(args["pattern"]) ?? words(args["query"]) ?? "";
      const within = path && place !== "." ? ` in ${place}` : "";
      return plain(["Searching", "Searched"], pattern + within, true, matches(item));
    }
    case "list":
      return plain(["Listing", "Listed"], place || ".", true, null);
    case "todo": {
      const todos = todosOf(args);
      const done = todos.filter((todo) => todo.status === "done").length;
      const current = todos.find((todo) => todo.status === "in_progress");
      return plain(["Updating", "Updated"], "the task list", false, todos.length === 0 ? null : `${done} of ${todos.length} done${current ? ` · ${current.text}` : ""}`);
    }
    case "question": {
      const questions = questionsOf(args);
      return plain(["Asking", "Asked"], questions[0]?.question ?? "a question", false, questions.length > 1 ? `and ${questions.length - 1} more` : null);
    }
    case "plan":
      return plain(["Proposing", "Proposed"], words(args["title"]) ?? "a plan");
    case "plan-switch":
      return plain(["Switching", "Switched"], args["enabled"] === false ? "plan mode off" : "plan mode on");
    case "agent": {
      const tasks = agentTasks(args);
      const first = tasks[0];
      return plain(["Delegating", "Delegated"], tasks.length > 1 ? plural(tasks.length, "task") : (first?.task ?? words(args["name"]) ?? "a task"), false, tasks.length === 1 ? (first?.agent ?? null) : null);
    }
    case "session":
      if (item.name.toLowerCase() === "spawn_session") return plain(["Starting session", "Started session"], firstLine(words(args["prompt"]) ?? ""));
      return plain(["Talking to", "Talked to"], words(args["sessionId"])?.slice(0, 8) ?? "a session", false, words(args["message"]) && firstLine(words(args["message"]) ?? ""));
    case "web-search":
      return plain(["Searching the web for", "Searched the web for"], words(args["query"]) ?? "");
    case "web-fetch":
      return plain(["Fetching", "Fetched"], hostOf(words(args["url"]) ?? ""), true);
    case "rename":
      return plain(["Renaming to", "Renamed to"], words(args["name"]) ?? "");
    case "shells": {
      const pid = number(args["pid"]);
      const stop = item.name.toLowerCase() === "kill_shell";
      return plain(stop ? ["Stopping", "Stopped"] : ["Checking", "Checked"], pid === null ? "background shells" : `background shell ${pid}`);
    }
    case "memory":
      return plain(item.name.includes("read") || item.name.includes("list") ? ["Recalling", "Recalled"] : ["Remembering", "Remembered"], words(args["summary"]) ?? words(args["topic"]) ?? words(args["file"]) ?? "notes");
    case "time":
      return plain(["Checking", "Checked"], "the time");
    case "trigger":
      return plain(["Answering", "Answered"], words(args["triggerId"]) ?? words(args["type"]) ?? "a trigger");
    case "mcp": {
      const [, server = "", ...rest] = item.name.split("__");
      return plain(["Calling", "Called"], `${server} · ${rest.join("__")}`, false, firstArgument(args));
    }
    case "other":
      return plain(["Running", "Used"], item.name, false, firstArgument(args));
  }
}

function firstLine(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

function firstArgument(args: JsonObject): string | null {
  for (const value of Object.values(args)) if (typeof value === "string" && value.trim() !== "") return firstLine(value);
  return null;
}

function hostOf(url: string): string {
  try {
    const parsed = new URL(url);
    return parsed.host + (parsed.pathname === "/" ? "" : parsed.pathname);
  } catch {
    return url;
  }
}

function matches(item: ToolItem): string | null {
  if (item.state !== "done") return null;
  const output = plainText(item.content);
  if (/^No (?:matches|files) found/i.test(output.trim()) || output.trim() === "") return "nothing found";
  const hits = output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("[") && !/^[^\n]*-\d+- /.test(line) && line !== "--").length;
  return plural(hits, item.name.toLowerCase() === "grep" ? "match" : "file", item.name.toLowerCase() === "grep" ? "matches" : "files");
}

export interface QuestionArgs {
  readonly question: string;
  readonly options: readonly string[];
}

export function questionsOf(args: JsonObject): QuestionArgs[] {
  const many = list(args["questions"]).flatMap((entry): QuestionArgs[] => {
    const raw = object(entry);
    const question = raw && words(raw["question"]);
    return raw && question ? [{ question, options: strings(raw["options"]) }] : [];
  });
  const single = words(args["question"]);
  return many.length > 0 ? many : single ? [{ question: single, options: strings(args["options"]) }] : [];
}

const ANSWER = /^(?:User answered|Answer received): ?/;

/** What the person answered, per question; `null` while open or when it was not answered. */
export function answersOf(item: ToolItem): string[] | null {
  const output = plainText(item.content).trim();
  if (!ANSWER.test(output)) return null;
  const answer = output.replace(ANSWER, "");
  try {
    const parsed: unknown = JSON.parse(answer);
    if (isObject(parsed)) return Object.values(parsed).map((value) => stringify(value));
  } catch {
    // An answer in plain words.
  }
  return [answer];
}

export interface AgentTask {
  readonly agent: string | null;
  readonly task: string;
}

export function agentTasks(args: JsonObject): AgentTask[] {
  const one = (raw: JsonObject): AgentTask[] => {
    const task = words(raw["task"]) ?? words(raw["prompt"]) ?? words(raw["description"]);
    return task ? [{ agent: words(raw["agent"]) ?? words(raw["subagent_type"]), task: firstLine(task) }] : [];
  };
  const many = [...list(args["tasks"]), ...list(args["chain"])].flatMap((entry) => (isObject(entry) ? one(entry) : []));
  return many.length > 0 ? many : one(args);
}

export interface TodoArgs {
  readonly text: string;
  readonly status: string;
}

export function todosOf(args: JsonObject): TodoArgs[] {
  return list(args["todos"]).flatMap((entry): TodoArgs[] => {
    const raw = object(entry);
    const label = raw && (words(raw["text"]) ?? words(raw["content"]));
    return raw && label ? [{ text: label, status: (words(raw["status"]) ?? "pending").replace("completed", "done") }] : [];
  });
}

const counted = new WeakMap<object, LineCounts | null>();

export interface LineCounts {
  readonly added: number;
  readonly removed: number;
}

/** How many lines an edit adds and removes; cheap, because every edit on screen says it. */
export function editCounts(item: ToolItem): LineCounts | null {
  const holder = object(item.details) ?? item.args;
  const known = counted.get(holder);
  if (known !== undefined) return known;
  const counts = countLines(item);
  counted.set(holder, counts);
  return counts;
}

function countLines(item: ToolItem): LineCounts | null {
  const patch = words(object(item.details)?.["patch"]);
  let added = 0;
  let removed = 0;
  if (patch) {
    let inHunk = false;
    for (const line of patch.split("\n")) {
      if (line.startsWith("@@")) inHunk = true;
      else if (line.startsWith("diff --git ")) inHunk = false;
      else if (inHunk && line.startsWith("+")) added += 1;
      else if (inHunk && line.startsWith("-")) removed += 1;
    }
    return { added, removed };
  }
  const edits = editsOf(item.args);
  for (const { before, after } of edits) {
    const old = before.replace(/\n$/, "").split("\n");
    const fresh = after.replace(/\n$/, "").split("\n");
    let start = 0;
    while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
    let end = 0;
    while (end < old.length - start && end < fresh.length - start && old.at(-1 - end) === fresh.at(-1 - end)) end += 1;
    added += fresh.length - start - end;
    removed += old.length - start - end;
  }
  return edits.length > 0 ? { added, removed } : null;
}

export function editsOf(args: JsonObject): { readonly before: string; readonly after: string }[] {
  return (Array.isArray(args["edits"]) ? list(args["edits"]) : [args]).flatMap((entry) => {
    const raw = object(entry);
    const before = raw && (text(raw["oldText"]) ?? text(raw["old_string"]));
    const after = raw && (text(raw["newText"]) ?? text(raw["new_string"]));
    return typeof before === "string" && typeof after === "string" ? [{ before, after }] : [];
  });
}

/** "Ran 7 commands, read 12 files" */
export function summarise(items: readonly ToolItem[]): { words: string; failed: number; stopped: number } {
  const counts = { commands: 0, read: new Set<string>(), searches: 0, listed: 0, web: 0, todo: 0, other: 0 };
  for (const item of items) {
    switch (kindOf(item.name)) {
      case "bash":
        counts.commands += 1;
        break;
      case "read":
        counts.read.add(pathOf(item.args) ?? item.id);
        break;
      case "search":
        counts.searches += 1;
        break;
      case "list":
        counts.listed += 1;
        break;
      case "web-search":
      case "web-fetch":
        counts.web += 1;
        break;
      case "todo":
        counts.todo += 1;
        break;
      default:
        counts.other += 1;
    }
  }
  const parts: string[] = [];
  if (counts.commands > 0) parts.push(`ran ${plural(counts.commands, "command")}`);
  if (counts.read.size > 0) parts.push(`read ${plural(counts.read.size, "file")}`);
  if (counts.searches > 0) parts.push(`searched ${counts.searches === 1 ? "once" : `${counts.searches} times`}`);
  if (counts.listed > 0) parts.push(`listed ${plural(counts.listed, "folder")}`);
  if (counts.web > 0) parts.push(`looked up ${plural(counts.web, "page")}`);
  if (counts.other > 0) parts.push(`used ${plural(counts.other, "tool")}`);
  if (counts.todo > 0) parts.push(parts.length === 0 ? `updated the task list ${plural(counts.todo, "time")}` : "updated the task list");
  const sentence = parts.join(", ");
  return {
    words: sentence.charAt(0).toUpperCase() + sentence.slice(1),
    failed: items.filter((item) => item.state === "failed").length,
    stopped: items.filter((item) => item.state === "stopped").length,
  };
}
