import { useInfiniteQuery } from "@tanstack/react-query";
import { History, Pin, Play, Search } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { Page } from "@/app/Page";
import { Link, navigate, to, type Route } from "@/app/routes";
import { baseName, dayName, shortPath } from "@/data/format";
import { hub, noteStarting } from "@/data/hub";
import { historyPage } from "@/data/queries";
import { runnerName, useRunners } from "@/data/runners";
import { api, messageOf } from "@/net/api";
import { minuteTicker } from "@/net/clock";
import type { PersistedSession } from "@/protocol/wire";
import { Badge, Card, EmptyState, ErrorState, SkeletonRows } from "@/ui/bits";
import { Input, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { StatusMark } from "@/ui/StatusMark";
import { RelativeTime } from "@/ui/time";
import { toast } from "@/ui/toast";

/** Every stored session, newest first, by day. */
export function HistoryPage({ route }: { route: Route & { name: "history" } }) {
  const [query, setQuery] = useState(route.q ?? "");
  const words = useDeferredValue(query.trim());
  const runnerId = route.runner ?? "";
  const { list } = useRunners();
  const now = useSyncExternalStore(minuteTicker.subscribe, minuteTicker.get);
  const pages = useInfiniteQuery({
    queryKey: ["history", words, runnerId],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => historyPage({ ...(words ? { q: words } : {}), ...(runnerId ? { runnerId } : {}), ...(pageParam ? { cursor: pageParam } : {}) }, signal),
    getNextPageParam: (page) => page.nextCursor,
  });
  // The relay filters; older relays ignore the words, so what they send is narrowed here as well.
  const rows = useMemo(() => narrow(pages.data?.pages.flatMap((page) => page.persistedSessions) ?? [], words, runnerId), [pages.data, words, runnerId]);
  const days = useMemo(() => byDay(rows, now), [rows, now]);
  const end = useRef<HTMLDivElement>(null);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  useEffect(() => {
    const mark = end.current;
    if (!mark || !hasNextPage || isFetchingNextPage) return undefined;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && void fetchNextPage(), { rootMargin: "600px" });
    observer.observe(mark);
    return () => observer.disconnect();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, rows.length]);

  const setAddress = (q: string, runner: string) => navigate(to.history({ ...(q ? { q } : {}), ...(runner ? { runner } : {}) }), { replace: true });
  return (
    <Page title="History" back={to.home()} description="Everything your agents have done. Open to read, or pick up where it stopped.">
      <div className="flex gap-2 max-m:flex-col">
        <div className="relative flex-1">
          <Icon icon={Search} className="pointer-events-none absolute top-1/2 left-3 -translate-y-1/2 text-text-3" />
          <Input
            type="search"
            aria-label="Search history"
            placeholder="Name, folder or first words"
            className="pl-9"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            onBlur={() => setAddress(query.trim(), runnerId)}
          />
        </div>
        {list.length > 1 && (
          <Select aria-label="Machine" className="m:w-48" value={runnerId} onChange={(event) => setAddress(query.trim(), event.target.value)}>
            <option value="">All machines</option>
            {list.map((machine) => (
              <option key={machine.id} value={machine.id}>
                {runnerName(machine.info)}
              </option>
            ))}
          </Select>
        )}
      </div>
      {pages.isPending && <SkeletonRows rows={8} />}
      {pages.error && <ErrorState title="History couldn't be read" detail={messageOf(pages.error)} onRetry={() => void pages.refetch()} />}
      {pages.data && rows.length === 0 && !hasNextPage && (
        <EmptyState icon={History} title={words ? `Nothing matches “${words}”` : "Nothing here yet"}>
          {words ? "Try fewer words." : "Finished sessions are kept here."}
        </EmptyState>
      )}
      {days.map(([day, entries]) => (
        <section key={day} className="flex flex-col gap-2">
          <h2 className="text-ui font-semibold text-text-2">{day}</h2>
          <Card className="divide-y divide-line overflow-hidden">
            {entries.map((entry) => (
              <HistoryRow key={entry.sessionId} entry={entry} />
            ))}
          </Card>
        </section>
      ))}
      <div ref={end} />
      {isFetchingNextPage && <SkeletonRows rows={3} />}
    </Page>
  );
}

export function narrow(rows: readonly PersistedSession[], words: string, runnerId: string): PersistedSession[] {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  const seen = new Set<string>();
  return rows.filter((row) => {
    if (seen.has(row.sessionId) || (runnerId && row.runnerId !== runnerId)) return false;
    seen.add(row.sessionId);
    // Only names and folders travel; the relay also looks at first words, so a hit it found is kept when we cannot see why.
    return parts.length === 0 || parts.every((part) => `${row.sessionName ?? ""} ${row.cwd} ${row.runnerName ?? ""}`.toLowerCase().includes(part));
  });
}

function byDay(rows: readonly PersistedSession[], now: number): [string, PersistedSession[]][] {
  const days = new Map<string, PersistedSession[]>();
  for (const row of [...rows].sort((a, b) => Date.parse(b.lastActiveAt) - Date.parse(a.lastActiveAt))) {
    const day = dayName(Date.parse(row.lastActiveAt), now);
    days.set(day, [...(days.get(day) ?? []), row]);
  }
  return [...days];
}

function HistoryRow({ entry }: { entry: PersistedSession }) {
  const live = useStore(hub, (state) => state.sessions.get(entry.sessionId)?.live === true);
  const { list } = useRunners();
  const machine = list.find((row) => row.id === entry.runnerId);
  const [busy, setBusy] = useState(false);
  const title = entry.sessionName ?? (entry.cwd ? `Session in ${baseName(entry.cwd)}` : "Untitled session");
  const resume = async () => {
    setBusy(true);
    try {
      const answer = await api.post<{ sessionId: string }>("/api/runners/spawn", { runnerId: entry.runnerId, cwd: entry.cwd, resumeId: entry.sessionId });
      noteStarting({ sessionId: answer.sessionId, runnerId: entry.runnerId ?? "", runnerName: entry.runnerName, cwd: entry.cwd, prompt: "", since: Date.now() });
      navigate(to.session(answer.sessionId));
    } catch (error) {
      toast(`Not continued. ${messageOf(error)}`, { tone: "fail" });
      setBusy(false);
    }
  };
  return (
    <div className="group relative flex items-center hover:bg-hover has-[:focus-visible]:bg-hover">
      <Link href={to.session(entry.sessionId)} className="flex min-h-14 min-w-0 flex-1 items-center gap-3 py-2 pr-12 pl-4 focus-visible:outline-offset-[-2px]">
        <StatusMark status={live ? "idle" : "ended"} label={live ? "Live" : "Ended"} />
        <span className="flex min-w-0 flex-1 flex-col">
          <span className="flex items-center gap-1.5 text-ui font-medium">
            <span className="truncate">{title}</span>
            {entry.isPinned && <Icon icon={Pin} size={12} className="shrink-0 text-text-3" aria-label="Pinned" />}
          </span>
          <span className="truncate text-meta text-text-3">{[shortPath(entry.cwd), entry.runnerName].filter(Boolean).join(" · ")}</span>
        </span>
        {live && <Badge tone="done">Live</Badge>}
        <RelativeTime at={entry.lastActiveAt} className="shrink-0 text-meta text-text-3 tnum" />
      </Link>
      {!live && entry.runnerId && (
        <span className="absolute right-2">
          <IconButton icon={Play} label={machine?.online ? "Continue this session" : `${entry.runnerName ?? "Its machine"} is offline`} disabled={!machine?.online} busy={busy} onClick={() => void resume()} />
        </span>
      )}
    </div>
  );
}

