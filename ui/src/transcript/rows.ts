/**
 * What the list shows: small rows with stable identity. A row object stays the same object while it would draw the same, so
 * the list redraws only what changed.
 */

import type { Entry, Item, ItemId, ToolItem, Transcript } from "./model";

/** Distance to the row above. */
export type Gap = "none" | "tight" | "block" | "turn";

interface RowCommon {
  readonly id: string;
  readonly gap: Gap;
}

export interface TopRow extends RowCommon {
  readonly kind: "top";
  readonly hasMore: boolean;
}

export interface DayRow extends RowCommon {
  readonly kind: "day";
  readonly at: number;
}

export interface ItemRow extends RowCommon {
  readonly kind: "item";
  readonly itemId: ItemId;
  readonly item: Item["kind"];
  /** Part of an opened group. */
  readonly inGroup: boolean;
}

export interface GroupRow extends RowCommon {
  readonly kind: "group";
  readonly itemIds: readonly ItemId[];
  readonly open: boolean;
}

export interface OutboxRow extends RowCommon {
  readonly kind: "outbox";
  readonly requestId: string;
}

export interface WorkingRow extends RowCommon {
  readonly kind: "working";
}

export type Row = TopRow | DayRow | ItemRow | GroupRow | OutboxRow | WorkingRow;

export interface RowOptions {
  /** Rows a person opened or closed; what is absent has its default. */
  readonly open: ReadonlyMap<string, boolean>;
  readonly foldTools: boolean;
  readonly hideThinking: boolean;
  /** Submitted messages the agent has not written yet, in order. */
  readonly outbox: readonly string[];
  readonly working: boolean;
  /** The beginning is known: say so, or offer older pages. */
  readonly showTop: boolean;
  readonly dayOf: (at: number) => number;
  /** Somebody reads in the middle: rows on screen are not folded away under their eyes. */
  readonly hold: boolean;
}

/** A run of this many finished tools becomes one row. */
const MIN_GROUP = 2;
/** Finished tools that stay visible at the end of a run that goes on. */
const LIVE_TAIL = 2;

/** A place between entries where no run of tools is open: the rows before it do not depend on what follows. */
interface Checkpoint {
  readonly entry: number;
  readonly rows: number;
  readonly day: number | null;
  readonly above: Item | null;
}

/** What was drawn last, and where drawing may be taken up again. */
export interface Projection {
  readonly rows: readonly Row[];
  readonly checkpoints: readonly Checkpoint[];
}

export const NO_ROWS: Projection = { rows: [], checkpoints: [] };

/**
 * Rows for the transcript. Rows of `previous` that would be equal are handed back as they are; those of entries before
 * `from` are not even looked at.
 */
export function project(transcript: Transcript, options: RowOptions, previous: Projection, from: number): Projection {
  const start = previous.checkpoints.findLast((checkpoint) => checkpoint.entry <= from) ?? null;
  const known = new Map(previous.rows.slice(start?.rows ?? 0).map((row) => [row.id, row]));
  const rows: Row[] = start ? previous.rows.slice(0, start.rows) : [];
  const checkpoints: Checkpoint[] = start ? previous.checkpoints.slice(0, previous.checkpoints.indexOf(start)) : [];
  const push = (row: Row): void => {
    const before = known.get(row.id);
    rows.push(before && equal(before, row) ? before : row);
  };
  if (!start && options.showTop && transcript.entries.length > 0) push({ id: "top", kind: "top", gap: "none", hasMore: transcript.hasMore });

  let day: number | null = start?.day ?? null;
  let above: Item | null = start?.above ?? null;
  const run: Item[] = [];

  const flush = (ongoing: boolean): void => {
    if (run.length === 0) return;
    for (const part of fold(run, ongoing, options, (item) => options.hold && standsAlone(known.get(item.id)))) {
      if (part.kind === "items") {
        for (const item of part.items) {
          push(itemRow(item, above, false));
          above = item;
        }
        continue;
      }
      const first = part.items[0];
      if (!first) continue;
      const id = `group:${first.id}`;
      const open = options.open.get(id) ?? false;
      push({ id, kind: "group", gap: gapBetween(above, first), itemIds: part.items.map((item) => item.id), open });
      above = first;
      if (open) {
        for (const item of part.items) {
          push(itemRow(item, above, true));
          above = item;
        }
      }
    }
    run.length = 0;
  };

  for (let index = start?.entry ?? 0; index < transcript.entries.length; index += 1) {
    const entry = transcript.entries[index];
    if (!entry) continue;
    if (run.length === 0 && index - (checkpoints.at(-1)?.entry ?? -CHECKPOINT_EVERY) >= CHECKPOINT_EVERY) checkpoints.push({ entry: index, rows: rows.length, day, above });
    const items = shownItems(transcript, entry, options);
    if (items.length === 0) continue;
    const at = entry.at;
    if (at !== null && (entry.role === "user" || entry.role === "assistant")) {
      const today = options.dayOf(at);
      if (day !== null && today !== day) {
        flush(false);
        push({ id: `day:${today}`, kind: "day", gap: "turn", at });
        above = null;
      }
      day = today;
    }
    for (const item of items) {
      if (foldable(item)) run.push(item);
      else {
        flush(false);
        push(itemRow(item, above, false));
        above = item;
      }
    }
  }
  flush(transcript.active);

  for (const requestId of options.outbox) {
    const id = `user:${requestId}`;
    if (!transcript.keys.has(id)) push({ id, kind: "outbox", gap: "turn", requestId });
  }
  if (options.working) push({ id: "working", kind: "working", gap: "block" });
  const unchanged = rows.length === previous.rows.length && rows.every((row, index) => row === previous.rows[index]);
  return { rows: unchanged ? previous.rows : rows, checkpoints };
}

/** Entries between two places where drawing may be taken up again. */
const CHECKPOINT_EVERY = 8;

function equal(left: Row, right: Row): boolean {
  if (left.kind !== right.kind || left.gap !== right.gap) return false;
  switch (left.kind) {
    case "top":
      return right.kind === "top" && left.hasMore === right.hasMore;
    case "day":
      return right.kind === "day";
    case "item":
      return right.kind === "item" && left.item === right.item && left.inGroup === right.inGroup;
    case "group":
      return right.kind === "group" && left.open === right.open && left.itemIds.length === right.itemIds.length && left.itemIds.every((id, index) => id === right.itemIds[index]);
    case "outbox":
    case "working":
      return true;
  }
}

function shownItems(transcript: Transcript, entry: Entry, options: RowOptions): Item[] {
  return entry.items.flatMap((id) => {
    const item = transcript.items.get(id);
    if (!item || (item.kind === "thinking" && options.hideThinking) || (item.kind === "tool" && silent(item))) return [];
    return item;
  });
}

/** Tools whose effect is shown elsewhere and whose row would say nothing more. */
function silent(item: ToolItem): boolean {
  return item.name === "set_session_name" && item.state !== "failed";
}

/** Tools that keep their own line whatever happens around them. */
const OWN_LINE = new Set(["edit", "multiedit", "multi_edit", "write", "askuserquestion", "plan_mode", "spawn_session", "subagent", "task"]);

function foldable(item: Item): boolean {
  if (item.kind === "thinking") return true;
  return item.kind === "tool" && !OWN_LINE.has(item.name.toLowerCase());
}

type Part = { readonly kind: "items" | "group"; readonly items: readonly Item[] };

/** Cut a run of tools and thoughts into what folds and what stays. */
function fold(run: readonly Item[], ongoing: boolean, options: RowOptions, held: (item: Item) => boolean): Part[] {
  if (!options.foldTools) return [{ kind: "items", items: run }];
  const settled = run.findIndex((item) => !finished(item));
  let until = settled < 0 ? run.length : settled;
  if (ongoing) until = Math.max(0, Math.min(until, run.length - LIVE_TAIL));
  const pinned = run.findIndex(held);
  if (pinned >= 0) until = Math.min(until, pinned);
  // A thought at the edge belongs to what follows it.
  while (until > 0 && until < run.length && run[until - 1]?.kind === "thinking") until -= 1;
  const head = run.slice(0, until);
  const rest = run.slice(until);
  const parts: Part[] = [];
  if (head.filter((item) => item.kind === "tool").length >= MIN_GROUP) parts.push({ kind: "group", items: head });
  else if (head.length > 0) parts.push({ kind: "items", items: head });
  if (rest.length > 0) parts.push({ kind: "items", items: rest });
  return parts;
}

function standsAlone(row: Row | undefined): boolean {
  return row?.kind === "item" && !row.inGroup;
}

function finished(item: Item): boolean {
  if (item.kind === "thinking") return !item.live;
  return item.kind === "tool" && item.state !== "running" && item.state !== "preparing";
}

function itemRow(item: Item, above: Item | null, inGroup: boolean): ItemRow {
  return { id: item.id, kind: "item", gap: inGroup ? "none" : gapBetween(above, item), itemId: item.id, item: item.kind, inGroup };
}

function gapBetween(above: Item | null, item: Item): Gap {
  if (item.kind === "user") return "turn";
  if (!above) return "block";
  // Below a prompt there is room already: its time and marks.
  if (above.kind === "user") return "tight";
  const quiet = (one: Item): boolean => one.kind === "tool" || one.kind === "thinking";
  if (quiet(item) && quiet(above)) return "none";
  if (item.kind === "notice" && item.notice !== "error" && item.notice !== "cli-error") return above.kind === "notice" ? "tight" : "block";
  return "block";
}
