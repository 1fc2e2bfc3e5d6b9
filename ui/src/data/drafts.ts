import { createStore } from "zustand/vanilla";
import { useStore } from "zustand";
import { database } from "./database";
import { isObject, load, save } from "./storage";

export interface DraftAttachment {
  id: string;
  name: string;
  type: string;
  size: number;
  blob: Blob;
}

export interface Draft {
  text: string;
  caret?: number;
  attachments: readonly DraftAttachment[];
  deliverAs?: "steer" | "followUp";
  /** When the first character was typed: text begun before a question is not silently its answer. */
  startedAt: number;
  updatedAt: number;
}

/** Written this long after the last change, ms. */
const WRITE_MS = 300;
/** The oldest go beyond this. */
const KEEP = 200;
/** What could not reach the database before the page went away. */
const HOT = "drafts.hot";

const table = database<Draft>("drafts");
const memory = new Map<string, Draft>();
const dirty = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** Which sessions have one, for the list. Changes only when a draft begins or ends, never per keystroke. */
export const draftKeys = createStore<{ keys: ReadonlySet<string>; ready: boolean }>(() => ({ keys: new Set(), ready: false }));

function publish(key: string, present: boolean): void {
  const { keys } = draftKeys.getState();
  if (keys.has(key) === present) return;
  const next = new Set(keys);
  if (present) next.add(key);
  else next.delete(key);
  draftKeys.setState({ keys: next });
}

async function flush(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  const keys = [...dirty];
  dirty.clear();
  await Promise.all(
    keys.map((key) => {
      const draft = memory.get(key);
      return draft ? table.set(key, draft) : table.delete(key);
    }),
  );
  if (dirty.size === 0) save(HOT, undefined);
}

/** The page may be gone in a moment, and the database takes longer than that: leave the text where writing is immediate. */
function rescue(): void {
  if (dirty.size === 0) return;
  save(HOT, Object.fromEntries([...dirty].map((key) => [key, memory.get(key) ? { ...memory.get(key), attachments: [] } : null])));
  void flush();
}

function readHot(): Map<string, Draft | null> {
  const stored = load(HOT, (value) => (isObject(value) ? value : undefined)) ?? {};
  const hot = new Map<string, Draft | null>();
  for (const [key, value] of Object.entries(stored)) {
    if (value === null) hot.set(key, null);
    else if (isObject(value) && typeof value["text"] === "string" && typeof value["updatedAt"] === "number") {
      hot.set(key, { text: value["text"], attachments: [], startedAt: typeof value["startedAt"] === "number" ? value["startedAt"] : value["updatedAt"], updatedAt: value["updatedAt"] });
    }
  }
  return hot;
}

/** Read what earlier visits left. Called once, before the first composer is shown. */
export async function loadDrafts(): Promise<void> {
  for (const [key, draft] of await table.all()) if (!memory.has(key)) memory.set(key, draft);
  for (const [key, draft] of readHot()) {
    const known = memory.get(key);
    if (draft === null) memory.delete(key);
    else if (!known || known.updatedAt < draft.updatedAt) memory.set(key, { ...draft, attachments: known?.attachments ?? [] });
    dirty.add(key);
  }
  const oldest = [...memory].sort((a, b) => b[1].updatedAt - a[1].updatedAt).slice(KEEP);
  for (const [key] of oldest) {
    memory.delete(key);
    dirty.add(key);
  }
  draftKeys.setState({ keys: new Set(memory.keys()), ready: true });
  await flush();
}

addEventListener("pagehide", rescue);
document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && rescue());

function schedule(key: string): void {
  dirty.add(key);
  timer ??= setTimeout(() => void flush(), WRITE_MS);
}

/** Unsent text and attachments, per session or `"new"`. */
export const drafts = {
  get: (key: string): Draft | undefined => memory.get(key),

  /** Cheap enough for every keystroke: memory now, database soon. Nothing left to keep clears the draft. */
  set(key: string, draft: Omit<Draft, "startedAt" | "updatedAt"> & { startedAt?: number }): void {
    if (draft.text === "" && draft.attachments.length === 0) return drafts.clear(key);
    const now = Date.now();
    memory.set(key, { ...draft, startedAt: draft.startedAt ?? memory.get(key)?.startedAt ?? now, updatedAt: now });
    publish(key, true);
    schedule(key);
  },

  clear(key: string): void {
    if (!memory.delete(key)) return;
    publish(key, false);
    schedule(key);
  },

  /** Drafts of sessions that no longer exist, offered in the new-session form. */
  keys: (): string[] => [...memory.keys()],

  flush,

  forgetAll(): void {
    memory.clear();
    dirty.clear();
    draftKeys.setState({ keys: new Set() });
  },
};

export function useHasDraft(key: string): boolean {
  return useStore(draftKeys, (state) => state.keys.has(key));
}
export function useDraftsReady(): boolean {
  return useStore(draftKeys, (state) => state.ready);
}
