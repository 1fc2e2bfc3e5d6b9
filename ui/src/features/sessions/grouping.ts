import { REASON, statusOf, strongest, type OpenDecision, type SessionStatus } from "@/data/attention";
import type { SessionRow, StartingSession } from "@/data/hub";
import { baseName } from "@/data/format";
import { projectOf } from "@/data/projects";
import type { Prefs } from "@/data/prefs";

/** One line of the list, with everything it shows except what only its own row knows. */
export interface Entry {
  id: string;
  row: SessionRow;
  status: SessionStatus;
  /** "Question", "Plan" … when it waits for the person. */
  reason: string | undefined;
  depth: number;
  /** Children folded under it, and the state they show together. */
  children: number;
  unfolded: boolean;
  unread: boolean;
}

export interface Group {
  key: string;
  title: string;
  kind: "needs" | "pinned" | "project" | "runner" | "all" | "starting";
  entries: Entry[];
  /** Rows even when the group is folded. */
  count: number;
}

export interface ListInput {
  rows: readonly SessionRow[];
  decisions: readonly OpenDecision[];
  unread: ReadonlySet<string>;
  grouping: Prefs["grouping"];
  query: string;
  filter: Filter;
  /** Parents whose children are shown. */
  unfolded: ReadonlySet<string>;
  now: number;
  /** The list is what an earlier connection said: nobody can tell what runs now. */
  doubt: boolean;
}

export type Filter = "all" | "needs" | "running" | "unread";

/** A name to show, never a bare id. */
export function titleOf(row: Pick<SessionRow, "info"> & { hint?: string | undefined }): string {
  return row.info.sessionName ?? row.hint ?? (row.info.cwd ? `Session in ${baseName(row.info.cwd)}` : "Untitled session");
}

export function startingTitle(session: StartingSession): string {
  const first = session.prompt.trim().split("\n")[0] ?? "";
  return first || `Session in ${baseName(session.cwd)}`;
}

function matchesQuery(row: SessionRow, words: readonly string[]): boolean {
  const text = [titleOf(row), row.info.cwd, row.info.runnerName, row.info.model?.name, row.info.model?.id].filter(Boolean).join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function matchesFilter(status: SessionStatus, unread: boolean, filter: Filter): boolean {
  switch (filter) {
    case "all":
      return true;
    case "needs":
      return status === "needs";
    case "running":
      return status === "running" || status === "compacting" || status === "retrying" || status === "starting";
    case "unread":
      return unread;
  }
}

const byTouch = (a: { row: SessionRow }, b: { row: SessionRow }) => b.row.touchedAt - a.row.touchedAt || a.row.id.localeCompare(b.row.id);

/** The list as it should be now. Pure; whether it may be shown already is the list's own decision (rows must not move under a pointer). */
export function groupSessions(input: ListInput): Group[] {
  const words = input.query.toLowerCase().split(/\s+/).filter(Boolean);
  const narrowed = words.length > 0 || input.filter !== "all";
  const waiting = new Map<string, OpenDecision>();
  for (const decision of input.decisions) if (!waiting.has(decision.sessionId)) waiting.set(decision.sessionId, decision);

  const all = new Map<string, Entry>();
  for (const row of input.rows) {
    const decision = waiting.get(row.id);
    const unread = input.unread.has(row.id);
    const status = statusOf({
      live: row.live,
      presence: input.doubt && row.live ? "reconnecting" : row.info.presence,
      isActive: row.info.isActive,
      heardAt: row.heardAt,
      meta: row.meta,
      decisions: decision ? 1 : 0,
      failed: row.failed !== undefined,
      unread,
      starting: false,
      now: input.now,
    });
    all.set(row.id, { id: row.id, row, status, reason: decision ? REASON[decision.kind] : undefined, depth: 0, children: 0, unfolded: false, unread });
  }

  const shown = [...all.values()].filter((entry) => matchesQuery(entry.row, words) && matchesFilter(entry.status, entry.unread, input.filter));
  const shownIds = new Set(shown.map((entry) => entry.id));
  const childrenOf = new Map<string, Entry[]>();
  const roots: Entry[] = [];
  for (const entry of shown) {
    const parent = entry.row.info.parentSessionId;
    // A child whose parent is gone, or filtered away, stands by itself.
    if (parent && parent !== entry.id && shownIds.has(parent) && !isAncestor(all, entry.id, parent)) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), entry]);
    else roots.push(entry);
  }

  const groups: Group[] = [];
  const needs = shown.filter((entry) => entry.status === "needs").sort((a, b) => (waiting.get(a.id)?.createdAt ?? 0) - (waiting.get(b.id)?.createdAt ?? 0) || byTouch(a, b));
  if (needs.length > 0) groups.push({ key: "needs", title: "Needs you", kind: "needs", entries: needs.map((entry) => ({ ...entry })), count: needs.length });

  // Named above already; under its project it would only be there twice. A parent stays where its children are.
  const elsewhere = (entry: Entry) => entry.status === "needs" && !(childrenOf.get(entry.id) ?? []).some((child) => child.status !== "needs");
  const flatten = (list: Entry[], depth: number): Entry[] =>
    list.filter((entry) => !elsewhere(entry)).sort(byTouch).flatMap((entry) => {
      const children = childrenOf.get(entry.id) ?? [];
      const unfolded = narrowed || input.unfolded.has(entry.id);
      const line: Entry = {
        ...entry,
        depth,
        children: children.length,
        unfolded,
        status: unfolded ? entry.status : strongest([entry.status, ...deepStates(children, childrenOf)]),
      };
      return unfolded && children.length > 0 ? [line, ...flatten(children, depth + 1)] : [line];
    });

  const pinned = roots.filter((entry) => entry.row.pinned);
  const pinnedLines = flatten(pinned, 0);
  if (pinnedLines.length > 0) groups.push({ key: "pinned", title: "Pinned", kind: "pinned", entries: pinnedLines, count: pinnedLines.length });

  const rest = roots.filter((entry) => !entry.row.pinned);
  const buckets = new Map<string, { title: string; entries: Entry[]; last: number }>();
  for (const entry of rest) {
    const { key, title } = bucketOf(entry.row, input.grouping);
    const bucket = buckets.get(key) ?? { title, entries: [], last: 0 };
    bucket.entries.push(entry);
    bucket.last = Math.max(bucket.last, entry.row.touchedAt);
    buckets.set(key, bucket);
  }
  for (const [key, bucket] of [...buckets].sort((a, b) => b[1].last - a[1].last || a[0].localeCompare(b[0]))) {
    const entries = flatten(bucket.entries, 0);
    if (entries.length === 0) continue;
    groups.push({
      key: `${input.grouping}:${key}`,
      title: bucket.title,
      kind: input.grouping === "none" ? "all" : input.grouping,
      entries,
      count: entries.length,
    });
  }
  return groups;
}

function bucketOf(row: SessionRow, grouping: Prefs["grouping"]): { key: string; title: string } {
  if (grouping === "none") return { key: "all", title: "Sessions" };
  if (grouping === "runner") return { key: row.info.runnerId ?? "", title: row.info.runnerName ?? (row.info.runnerId ? row.info.runnerId.slice(0, 8) : "In a terminal") };
  const project = projectOf(row.info.cwd);
  return { key: project.key, title: project.name };
}

function deepStates(children: readonly Entry[], childrenOf: ReadonlyMap<string, Entry[]>): SessionStatus[] {
  return children.flatMap((child) => [child.status, ...deepStates(childrenOf.get(child.id) ?? [], childrenOf)]);
}

/** Is `id` above `start`? Guards against parents that name each other. */
function isAncestor(all: ReadonlyMap<string, Entry>, id: string, start: string): boolean {
  const seen = new Set<string>();
  for (let at: string | null | undefined = start; at && !seen.has(at); at = all.get(at)?.row.info.parentSessionId) {
    if (at === id) return true;
    seen.add(at);
  }
  return false;
}
