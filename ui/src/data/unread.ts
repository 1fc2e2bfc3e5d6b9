import { createStore } from "zustand/vanilla";
import { load, save } from "./storage";

/** Sessions whose end or question the person has not seen on this device. */
const KEEP = 300;

export interface UnreadState {
  ids: ReadonlySet<string>;
}

const initial = load("unread", (value) => (Array.isArray(value) ? value.filter((id): id is string => typeof id === "string") : undefined)) ?? [];

export const unreadStore = createStore<UnreadState>(() => ({ ids: new Set(initial) }));

/** What is on screen at the moment. */
let visible: string | undefined;
const listeners = new Set<(id: string, kind: "finished" | "needs" | "failed") => void>();

function isVisible(id: string): boolean {
  return visible === id && document.visibilityState === "visible";
}

function change(ids: Set<string>): void {
  unreadStore.setState({ ids });
  save("unread", [...ids].slice(-KEEP));
}

function note(id: string, kind: "finished" | "needs" | "failed"): void {
  for (const listener of listeners) listener(id, kind);
  if (isVisible(id) || unreadStore.getState().ids.has(id)) return;
  change(new Set(unreadStore.getState().ids).add(id));
}

export const unread = {
  finished: (id: string) => note(id, "finished"),
  needs: (id: string) => note(id, "needs"),
  failed: (id: string) => note(id, "failed"),

  markRead(id: string): void {
    const { ids } = unreadStore.getState();
    if (!ids.has(id)) return;
    const next = new Set(ids);
    next.delete(id);
    change(next);
  },
  markUnread(id: string): void {
    const { ids } = unreadStore.getState();
    if (!ids.has(id)) change(new Set(ids).add(id));
  },
  /** The screen shows this session now (or none). */
  setVisible(id: string | undefined): void {
    visible = id;
  },
  isVisible,
  /** For notifications: called for each event, seen or not. */
  observe(listener: (id: string, kind: "finished" | "needs" | "failed") => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
