import { database } from "@/data/database";
import { SessionModel } from "@/transcript/session";
import type { StoredTail } from "@/transcript/tail";

/** Sessions whose whole transcript stays in memory. */
const KEEP = 8;
/** Stored tails; the oldest go. */
const KEEP_TAILS = 20;
/** Between two writes of one tail, and before the first: a short visit is remembered too, ms. */
const TAIL_WRITE_MS = 5_000;
const TAIL_FIRST_MS = 500;
/** Nobody looks: work is done this often, ms. */
const HIDDEN_FLUSH_MS = 1_000;

interface TailRecord {
  readonly savedAt: number;
  readonly tail: StoredTail;
}

const tails = database<TailRecord>("tails");
const models = new Map<string, SessionModel>();
/** Where the reader was, and the heights measured so far. Kept as long as the model. */
export interface ScrollMemory {
  following: boolean;
  anchor: { rowId: string; offset: number } | null;
  measurements: readonly unknown[];
}
const scrolls = new Map<string, ScrollMemory>();

function schedule(flush: () => void): void {
  if (document.visibilityState === "hidden") {
    setTimeout(flush, HIDDEN_FLUSH_MS);
    return;
  }
  // A tab that is hidden before the frame comes would wait for ever.
  let done = false;
  const run = (): void => {
    if (done) return;
    done = true;
    clearTimeout(fallback);
    flush();
  };
  const fallback = setTimeout(run, HIDDEN_FLUSH_MS);
  requestAnimationFrame(run);
}

function dayOf(at: number): number {
  const date = new Date(at);
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}

/** The model of a session; the eight visited last are kept. */
export function modelOf(sessionId: string): SessionModel {
  const known = models.get(sessionId);
  if (known) {
    models.delete(sessionId);
    models.set(sessionId, known);
    return known;
  }
  const model = new SessionModel(sessionId, { now: () => Date.now(), clock: () => performance.now(), schedule, dayOf });
  models.set(sessionId, model);
  for (const [id, old] of models) {
    if (models.size <= KEEP) break;
    if (id === sessionId) continue;
    void saveTail(old);
    models.delete(id);
    scrolls.delete(id);
  }
  return model;
}

export async function restoreTail(model: SessionModel): Promise<void> {
  if (!model.empty) return;
  const record = await tails.get(model.sessionId);
  if (record?.tail) model.restoreTail(record.tail);
}

export async function saveTail(model: SessionModel): Promise<void> {
  const tail = model.storedTail();
  if (!tail) return;
  await tails.set(model.sessionId, { savedAt: Date.now(), tail });
  const all = await tails.all();
  if (all.length <= KEEP_TAILS) return;
  const oldest = all.toSorted((a, b) => a[1].savedAt - b[1].savedAt).slice(0, all.length - KEEP_TAILS);
  await Promise.all(oldest.map(([id]) => tails.delete(id)));
}

/** Keep the tail of `model` while its screen is open. Returns the function that stops. */
export function keepTail(model: SessionModel): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let written = false;
  const write = (): void => {
    written = true;
    clearTimeout(timer);
    timer = undefined;
    void saveTail(model);
  };
  const stop = model.subscribeRows(() => {
    timer ??= setTimeout(write, written ? TAIL_WRITE_MS : TAIL_FIRST_MS);
  });
  const onHide = (): void => {
    if (document.visibilityState === "hidden" && timer !== undefined) write();
  };
  document.addEventListener("visibilitychange", onHide);
  return () => {
    stop();
    document.removeEventListener("visibilitychange", onHide);
    if (timer !== undefined) write();
  };
}

export function scrollMemory(sessionId: string): ScrollMemory | undefined {
  return scrolls.get(sessionId);
}
export function rememberScroll(sessionId: string, memory: ScrollMemory): void {
  scrolls.set(sessionId, memory);
}

/** Another person signed in. */
export function forgetModels(): void {
  models.clear();
  scrolls.clear();
}
