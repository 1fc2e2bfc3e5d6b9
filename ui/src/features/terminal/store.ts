import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { api, messageOf, url } from "@/net/api";
import { load, save } from "@/data/storage";
import { list, object, text, words } from "@/transcript/json";

/** One terminal on a machine. It belongs to a session's screen or to the machine's page. */
export interface TerminalTab {
  readonly id: string;
  readonly title: string;
}

interface Owner {
  readonly tabs: readonly TerminalTab[];
  readonly active: string | null;
  readonly starting: boolean;
  readonly failure: string | null;
}

const NOBODY: Owner = { tabs: [], active: null, starting: false, failure: null };

const store = createStore<{ readonly owners: ReadonlyMap<string, Owner> }>(() => ({ owners: new Map() }));

/** Which terminals were open where, so that a reload finds them again. */
const STORED = "terminals";

function read(): Record<string, TerminalTab[]> {
  const stored = load(STORED, (value) => object(value) ?? undefined) ?? {};
  return Object.fromEntries(
    Object.entries(stored).map(([owner, tabs]) => [
      owner,
      list(tabs).flatMap((entry): TerminalTab[] => {
        const raw = object(entry);
        const id = raw && words(raw["id"]);
        return raw && id ? [{ id, title: text(raw["title"]) ?? "Terminal" }] : [];
      }),
    ]),
  );
}

function owner(key: string): Owner {
  return store.getState().owners.get(key) ?? NOBODY;
}

function put(key: string, change: Partial<Owner>): void {
  store.setState(({ owners }) => ({ owners: new Map(owners).set(key, { ...(owners.get(key) ?? NOBODY), ...change }) }));
  if (change.tabs) {
    const stored = read();
    if (change.tabs.length > 0) stored[key] = [...change.tabs];
    else delete stored[key];
    save(STORED, stored);
  }
}

export interface Place {
  /** Session id, or `runner:<id>`. */
  readonly key: string;
  readonly runnerId: string;
  readonly cwd: string | null;
}

export const terminals = {
  /** Terminals of an earlier visit that still exist. */
  async restore(place: Place): Promise<void> {
    if (owner(place.key).tabs.length > 0) return;
    const known = read()[place.key] ?? [];
    if (known.length === 0) return;
    put(place.key, { tabs: known, active: known[0]?.id ?? null });
    try {
      const answer = object(await api.get(url(["api", "runners", place.runnerId, "terminals"])));
      const alive = new Set(list(answer?.["terminals"]).flatMap((entry) => (typeof entry === "string" ? entry : (words(object(entry)?.["terminalId"]) ?? []))));
      const tabs = owner(place.key).tabs.filter((tab) => alive.has(tab.id));
      put(place.key, { tabs, active: tabs.some((tab) => tab.id === owner(place.key).active) ? owner(place.key).active : (tabs[0]?.id ?? null) });
    } catch {
      // An older relay cannot list them; each tab finds out by connecting.
    }
  },

  async open(place: Place): Promise<void> {
    if (owner(place.key).starting) return;
    put(place.key, { starting: true, failure: null });
    try {
      const answer = object(await api.post(url(["api", "runners", "terminal"]), { runnerId: place.runnerId, ...(place.cwd ? { cwd: place.cwd } : {}) }));
      const id = words(answer?.["terminalId"]);
      if (!id) throw new Error("The machine did not name the terminal.");
      const { tabs } = owner(place.key);
      const numbers = tabs.map((tab) => Number(/(\d+)$/.exec(tab.title)?.[1] ?? 1));
      const title = tabs.length === 0 ? "Terminal" : `Terminal ${Math.max(1, ...numbers) + 1}`;
      put(place.key, { tabs: [...tabs, { id, title }], active: id, starting: false });
    } catch (error) {
      put(place.key, { starting: false, failure: messageOf(error) });
    }
  },

  count: (key: string): number => owner(key).tabs.length,

  select(key: string, id: string): void {
    put(key, { active: id });
  },

  rename(key: string, id: string, title: string): void {
    put(key, { tabs: owner(key).tabs.map((tab) => (tab.id === id ? { ...tab, title } : tab)) });
  },

  drop(key: string, id: string): void {
    const { tabs, active } = owner(key);
    const at = tabs.findIndex((tab) => tab.id === id);
    const rest = tabs.filter((tab) => tab.id !== id);
    put(key, { tabs: rest, active: active === id ? (rest[Math.min(at, rest.length - 1)]?.id ?? null) : active });
  },
};

export function useTerminals(key: string): Owner {
  return useStore(store, (state) => state.owners.get(key) ?? NOBODY);
}
