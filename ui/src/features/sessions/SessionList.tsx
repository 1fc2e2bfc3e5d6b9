import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ListFilter, Search, X } from "lucide-react";
import { useCallback, useDeferredValue, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useHotkey } from "@/app/hotkeys";
import { Link, navigate, to, useRoute } from "@/app/routes";
import { useHub } from "@/data/hub";
import { setPref, usePref, type Prefs } from "@/data/prefs";
import { useRunners } from "@/data/runners";
import { load } from "@/data/storage";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { Menu, MenuLabel, MenuRadio, MenuSeparator } from "@/ui/Menu";
import { EmptyState, SkeletonRows } from "@/ui/bits";
import { StatusMark } from "@/ui/StatusMark";
import type { Entry, Filter, Group } from "./grouping";
import { startingTitle } from "./grouping";
import { SessionLine } from "./SessionRow";
import { useList } from "./useList";
import { useStillness } from "./useStillness";

/** Lists longer than this mount only the rows near the viewport. */
const VIRTUAL_FROM = 60;

type Line = { kind: "head"; group: Group; folded: boolean } | { kind: "row"; entry: Entry; group: Group };

const FILTERS: readonly { value: Filter; label: string }[] = [
  { value: "all", label: "Everything" },
  { value: "needs", label: "Needs you" },
  { value: "running", label: "Running" },
  { value: "unread", label: "Unread" },
];
const GROUPINGS: readonly { value: Prefs["grouping"]; label: string }[] = [
  { value: "project", label: "By project" },
  { value: "runner", label: "By machine" },
  { value: "none", label: "One list" },
];

/** All sessions of the person: search, groups, rows. */
export function SessionList() {
  const [query, setQuery] = useState("");
  const [filter, setFilter] = useState<Filter>("all");
  const deferred = useDeferredValue(query);
  const still = useStillness();
  const { groups, folded, toggleGroup, toggleRow } = useList(deferred, filter, still.frozen);
  const grouping = usePref("grouping");
  const { phase, starting } = useHub((state) => ({ phase: state.phase, starting: state.starting }));
  const { list: machines, phase: machinesPhase } = useRunners();
  const route = useRoute();
  const selected = route.name === "session" ? route.id : undefined;
  const field = useRef<HTMLInputElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  useHotkey("/", () => field.current?.focus());

  const lines = useMemo(() => {
    const flat: Line[] = [];
    for (const group of groups) {
      const isFolded = folded.has(group.key) && deferred === "";
      flat.push({ kind: "head", group, folded: isFolded });
      if (!isFolded) for (const entry of group.entries) flat.push({ kind: "row", entry, group });
    }
    return flat;
  }, [groups, folded, deferred]);

  const onListKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" || event.key === "j" ? 1 : event.key === "ArrowUp" || event.key === "k" ? -1 : 0;
    if (step === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...(scroller.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const at = rows.findIndex((row) => row === document.activeElement);
    const next = rows[at === -1 ? 0 : at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };

  const empty = lines.length === 0 && starting.size === 0;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-1 px-3 pb-2">
        <div className="relative min-w-0 flex-1">
          <Icon icon={Search} size={14} className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-text-3" />
          <input
            ref={field}
            type="search"
            aria-label="Search sessions"
            placeholder="Search"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape") {
                event.preventDefault();
                event.stopPropagation();
                if (query) setQuery("");
                else field.current?.blur();
              }
              if (event.key === "ArrowDown") {
                event.preventDefault();
                scroller.current?.querySelector<HTMLElement>("[data-row]")?.focus();
              }
              if (event.key === "Enter") {
                scroller.current?.querySelector<HTMLElement>("[data-row]")?.click();
                setQuery("");
                field.current?.blur();
              }
            }}
            className="h-8 w-full rounded-ctl border border-transparent bg-hover pr-7 pl-8 text-ui [appearance:none] focus-visible:border-accent focus-visible:outline-offset-0 pointer-coarse:h-11 [&::-webkit-search-cancel-button]:hidden"
          />
          {query ? (
            <button type="button" aria-label="Clear search" onClick={() => setQuery("")} className="absolute top-0 right-0 flex h-full w-8 items-center justify-center text-text-3 hover:text-text">
              <Icon icon={X} size={14} />
            </button>
          ) : (
            <kbd className="pointer-events-none absolute top-1/2 right-2.5 -translate-y-1/2 font-sans text-meta text-text-3 pointer-coarse:hidden">/</kbd>
          )}
        </div>
        <Menu trigger={<IconButton icon={ListFilter} label="Filter and group" className={cx(filter !== "all" && "text-accent")} />}>
          <MenuLabel>Show</MenuLabel>
          <MenuRadio value={filter} onChange={setFilter} options={FILTERS} />
          <MenuSeparator />
          <MenuLabel>Group</MenuLabel>
          <MenuRadio value={grouping} onChange={(value) => setPref("grouping", value)} options={GROUPINGS} />
        </Menu>
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto overscroll-contain pb-4" onKeyDown={onListKey} {...still.handlers}>
        {[...starting.values()].map((session) => (
          <Link key={session.sessionId} href={to.session(session.sessionId)} className={cx("mx-2 flex h-[var(--row-list)] items-center gap-2.5 rounded-ctl px-2.5", selected === session.sessionId ? "bg-surface ring-1 ring-line" : "hover:bg-hover")}>
            <StatusMark status="starting" />
            <span className="flex min-w-0 flex-1 flex-col">
              <span className="truncate text-ui">{startingTitle(session)}</span>
              <span className="truncate text-meta text-text-3">Starting{session.runnerName ? ` on ${session.runnerName}` : ""}…</span>
            </span>
          </Link>
        ))}
        {empty && phase === "loading" && <SkeletonRows rows={Math.min(8, (load("list", (value) => (Array.isArray(value) ? value.length : undefined)) ?? 4) || 4)} className="px-5 pt-4" />}
        {empty && phase !== "loading" && <EmptyList query={deferred} filter={filter} machines={machinesPhase === "loading" ? undefined : machines.length} onReset={() => (setQuery(""), setFilter("all"))} />}
        {lines.length > VIRTUAL_FROM ? (
          <VirtualLines lines={lines} scroller={scroller} selected={selected} toggleGroup={toggleGroup} toggleRow={toggleRow} onHold={still.hold} />
        ) : (
          lines.map((line) => <LineView key={keyOf(line)} line={line} selected={selected} toggleGroup={toggleGroup} toggleRow={toggleRow} onHold={still.hold} />)
        )}
      </div>
    </div>
  );
}

function keyOf(line: Line): string {
  return line.kind === "head" ? `#${line.group.key}` : `${line.group.key}/${line.entry.id}`;
}

interface LinesProps {
  selected: string | undefined;
  toggleGroup: (key: string) => void;
  toggleRow: (id: string) => void;
  onHold: (held: boolean) => void;
}

function LineView({ line, selected, toggleGroup, toggleRow, onHold }: LinesProps & { line: Line }) {
  if (line.kind === "row") return <SessionLine entry={line.entry} kind={line.group.kind} selected={selected === line.entry.id} onFold={toggleRow} onHold={onHold} />;
  const { group } = line;
  return (
    <h2 className="px-2 pt-3 pb-0.5 first:pt-0 pointer-coarse:pt-2">
      <button
        type="button"
        aria-expanded={!line.folded}
        onClick={() => toggleGroup(group.key)}
        className={cx("group/head flex h-6 w-full items-center gap-1.5 rounded-ctl px-2.5 text-group font-medium tracking-[0.04em] uppercase pointer-coarse:h-9", group.kind === "needs" ? "text-wait" : "text-text-3 hover:text-text-2")}
      >
        <span className="truncate">{group.title}</span>
        {(line.folded || group.kind === "needs") && <span className="tnum">{group.count}</span>}
        <Icon icon={ChevronDown} size={12} className={cx("ml-auto transition-transform", line.folded ? "-rotate-90" : "opacity-0 group-hover/head:opacity-100 group-focus-visible/head:opacity-100")} />
      </button>
    </h2>
  );
}

function VirtualLines({ lines, scroller, ...rest }: LinesProps & { lines: readonly Line[]; scroller: React.RefObject<HTMLDivElement | null> }) {
  const estimate = useCallback((index: number) => (lines[index]?.kind === "head" ? 40 : 52), [lines]);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: estimate,
    getItemKey: (index) => {
      const line = lines[index];
      return line ? keyOf(line) : index;
    },
    overscan: 12,
  });
  return (
    <div className="relative" style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map((item) => {
        const line = lines[item.index];
        return (
          line && (
            <div key={item.key} ref={virtual.measureElement} data-index={item.index} className="absolute inset-x-0 top-0" style={{ transform: `translateY(${item.start}px)` }}>
              <LineView line={line} {...rest} />
            </div>
          )
        );
      })}
    </div>
  );
}

function EmptyList({ query, filter, machines, onReset }: { query: string; filter: Filter; machines: number | undefined; onReset: () => void }) {
  if (query) {
    return (
      <EmptyState
        title={`Nothing here matches “${query}”`}
        action={
          <Button size="sm" onClick={() => navigate(to.history({ q: query }))}>
            Look in history
          </Button>
        }
      />
    );
  }
  if (filter !== "all") {
    return (
      <EmptyState
        title={filter === "needs" ? "Nothing is waiting for you" : filter === "running" ? "Nothing is running" : "Everything is read"}
        action={
          <Button size="sm" onClick={onReset}>
            Show everything
          </Button>
        }
      />
    );
  }
  return <EmptyState title="No sessions yet">{machines === 0 ? "They appear here once a machine is connected." : "Start one, or run pizzapi in a terminal."}</EmptyState>;
}
