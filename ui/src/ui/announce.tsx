import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

/** At most one announcement in this time; of those that wait only the newest survives. */
const SPACING_MS = 3_000;

const store = createStore<{ text: string }>(() => ({ text: "" }));
let last = 0;
let waiting: string | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Tell assistive technology about something that happened, without moving focus. */
export function announce(text: string): void {
  waiting = text;
  if (timer !== undefined) return;
  const wait = Math.max(0, last + SPACING_MS - Date.now());
  timer = setTimeout(() => {
    timer = undefined;
    last = Date.now();
    store.setState({ text: waiting ?? "" });
    waiting = undefined;
  }, wait);
}

/** The one polite region of the page; present from load. */
export function Announcer() {
  const text = useStore(store, (state) => state.text);
  return (
    <div className="sr-only" aria-live="polite" role="status">
      {text}
    </div>
  );
}
