import { useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { statusOf, type SessionStatus } from "@/data/attention";
import { useDecisions, useHub, useSession } from "@/data/hub";
import { unreadStore } from "@/data/unread";
import { minuteTicker } from "@/net/clock";

/** The one state of a session, as every part of the screen shows it. */
export function useSessionStatus(id: string): SessionStatus {
  const row = useSession(id);
  const [decision] = useDecisions(id);
  const unread = useStore(unreadStore, (state) => state.ids.has(id));
  const starting = useHub((state) => state.starting.has(id));
  const now = useSyncExternalStore(minuteTicker.subscribe, minuteTicker.get);
  return statusOf({
    live: row?.live === true,
    presence: row?.info.presence,
    isActive: row?.info.isActive === true,
    heardAt: row?.heardAt ?? 0,
    meta: row?.meta,
    decisions: decision ? 1 : 0,
    failed: row?.failed !== undefined,
    unread,
    starting,
    now,
  });
}
