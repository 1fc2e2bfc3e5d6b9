import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import type { Lights, SessionPresence } from "@/protocol/generated";

export interface SeenPresence {
  readonly presence: SessionPresence;
  readonly lights: Lights | null;
  readonly viewers: number | null;
  /** Local clock when it was told. */
  readonly toldAt: number;
}

const store = createStore<{ readonly sessions: ReadonlyMap<string, SeenPresence> }>(() => ({ sessions: new Map() }));

/** What the relay last said about who is there. */
export function notePresence(sessionId: string, seen: SeenPresence): void {
  store.setState(({ sessions }) => ({ sessions: new Map(sessions).set(sessionId, seen) }));
}

export function usePresence(sessionId: string): SeenPresence | undefined {
  return useStore(store, (state) => state.sessions.get(sessionId));
}
