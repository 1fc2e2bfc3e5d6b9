import { useCallback, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { hub, useAllDecisions } from "@/data/hub";
import { usePref } from "@/data/prefs";
import { load, save } from "@/data/storage";
import { unreadStore } from "@/data/unread";
import { minuteTicker } from "@/net/clock";
import { connection } from "@/net/connection";
import { groupSessions, type Entry, type Filter, type Group } from "./grouping";

/** An interruption this long makes what the list says doubtful, ms. */
const DOUBT_AFTER_MS = 15_000;

/** Stored set of strings: what is folded, what is unfolded. */
function useStoredSet(key: string): [ReadonlySet<string>, (value: string) => void] {
  const [set, setSet] = useState<ReadonlySet<string>>(() => new Set(load(key, (value) => (Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === "string") : undefined))));
  const toggle = useCallback(
    (value: string) =>
      setSet((before) => {
        const next = new Set(before);
        if (!next.delete(value)) next.add(value);
        save(key, [...next]);
        return next;
      }),
    [key],
  );
  return [set, toggle];
}

export interface List {
  groups: Group[];
  folded: ReadonlySet<string>;
  toggleGroup: (key: string) => void;
  toggleRow: (id: string) => void;
}

/** The groups to show. While `frozen`, rows keep their places; what they say still changes. */
export function useList(query: string, filter: Filter, frozen: boolean): List {
  const sessions = useStore(hub, (state) => state.sessions);
  const decisions = useAllDecisions();
  const unread = useStore(unreadStore, (state) => state.ids);
  const grouping = usePref("grouping");
  const now = useSyncExternalStore(minuteTicker.subscribe, minuteTicker.get);
  const connected = useStore(hub, (state) => state.phase === "ready");
  const since = useStore(connection, (state) => state.since);
  const doubt = !connected && Date.now() - since > DOUBT_AFTER_MS;
  const [unfolded, toggleRow] = useStoredSet("unfolded");
  const [folded, toggleGroup] = useStoredSet("folded");

  const kept = useRef(new Map<string, Entry>());
  const wanted = useMemo(
    () => keepEntries(kept.current, groupSessions({ rows: [...sessions.values()], decisions, unread, grouping, query, filter, unfolded, now, doubt })),
    [sessions, decisions, unread, grouping, query, filter, unfolded, now, doubt],
  );
  // What the person asked for (folding, searching) is theirs to move; only the feed must hold still.
  const asked = `${query}\n${filter}\n${grouping}\n${[...unfolded].join()}`;
  const settled = useRef<{ groups: Group[]; asked: string }>({ groups: wanted, asked });
  if (!frozen || settled.current.asked !== asked) settled.current = { groups: wanted, asked };
  else settled.current = { groups: inPlace(settled.current.groups, wanted), asked };
  return { groups: settled.current.groups, folded, toggleGroup, toggleRow };
}

/** Entries that say the same stay the same object, so that their rows are not drawn again. */
export function keepEntries(kept: Map<string, Entry>, groups: Group[]): Group[] {
  const seen = new Set<string>();
  for (const group of groups) {
    group.entries = group.entries.map((entry) => {
      const key = `${group.key}/${entry.id}`;
      seen.add(key);
      const old = kept.get(key);
      const { row, status, reason, depth, children, unfolded, unread } = entry;
      if (old && old.row === row && old.status === status && old.reason === reason && old.depth === depth && old.children === children && old.unfolded === unfolded && old.unread === unread) return old;
      kept.set(key, entry);
      return entry;
    });
  }
  for (const key of kept.keys()) if (!seen.has(key)) kept.delete(key);
  return groups;
}

/** The old places with the new contents. */
export function inPlace(old: readonly Group[], wanted: readonly Group[]): Group[] {
  const fresh = new Map(wanted.flatMap((group) => group.entries.map((entry) => [entry.id, entry] as const)));
  return old.map((group) => ({
    ...group,
    entries: group.entries.map((entry) => {
      const now = fresh.get(entry.id);
      if (!now || (now.row === entry.row && now.status === entry.status && now.reason === entry.reason && now.unread === entry.unread)) return entry;
      return { ...entry, row: now.row, status: now.status, reason: now.reason, unread: now.unread };
    }),
  }));
}
