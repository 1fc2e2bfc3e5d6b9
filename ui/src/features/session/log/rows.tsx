import { Brain, ChevronRight, Layers, MessageSquareQuote, Search } from "lucide-react";
import { lazy, memo, Suspense, useState, useSyncExternalStore, type ReactNode } from "react";
import { dayName, duration } from "@/data/format";
import { usePref } from "@/data/prefs";
import { minuteTicker } from "@/net/clock";
import { CopyButton, Icon, IconButton, Spinner, cx } from "@/ui";
import { stringify } from "@/transcript/json";
import type { CustomItem, Item, SearchItem, TextItem, ThinkingItem, ToolItem, UnknownItem } from "@/transcript/model";
import type { GroupRow as GroupRowData, Row } from "@/transcript/rows";
import type { SessionModel } from "@/transcript/session";
import { describe, summarise } from "../cards/describe";
import { Pictures } from "../cards/Pictures";
import { Running, ToolRow } from "../cards/ToolRow";
import { useFacts, useItem, useOpen, useOpenSession, useRows } from "../context";
import { Boundary } from "./Boundary";
import { Markdown } from "./Markdown";
import { SafeLink } from "./links";
import { NoticeRow } from "./notices";
import { PendingRow, UserRow, quote } from "./said";

const JsonTree = lazy(() => import("../cards/JsonTree").then((part) => ({ default: part.JsonTree })));

/** One row of the list. Gets data only; everything that changes comes by subscription to its own item. */
export const RowView = memo(function RowView({ row }: { row: Row }) {
  switch (row.kind) {
    case "top":
      return <TopRow hasMore={row.hasMore} />;
    case "day":
      return <DayRow at={row.at} />;
    case "group":
      return <GroupRow row={row} />;
    case "outbox":
      return <PendingRow requestId={row.requestId} />;
    case "working":
      return <WorkingRow />;
    case "item":
      return <ItemView id={row.itemId} />;
  }
});

const ItemView = memo(function ItemView({ id }: { id: string }) {
  const { model } = useOpenSession();
  const item = useItem(model, id);
  if (!item) return null;
  return (
    <Boundary raw={item}>
      <ItemBody item={item} />
    </Boundary>
  );
});

function ItemBody({ item }: { item: Item }): ReactNode {
  switch (item.kind) {
    case "user":
      return <UserRow item={item} />;
    case "text":
      return <TextRow item={item} />;
    case "thinking":
      return <ThinkingRow item={item} />;
    case "tool":
      return <ToolRow item={item} />;
    case "image":
      return <Pictures images={item.images} />;
    case "search":
      return <SearchRow item={item} />;
    case "notice":
      return <NoticeRow item={item} />;
    case "custom":
      return <CustomRow item={item} />;
    case "unknown":
      return <UnknownRow item={item} />;
  }
}

function TopRow({ hasMore }: { hasMore: boolean }) {
  return (
    <div className="row-top" role="note">
      {hasMore ? (
        <>
          <Spinner size={14} />
          Loading older messages
        </>
      ) : (
        "Beginning of conversation"
      )}
    </div>
  );
}

function DayRow({ at }: { at: number }) {
  const now = useSyncExternalStore(minuteTicker.subscribe, minuteTicker.get);
  return (
    <div className="row-day" role="separator">
      <span>{dayName(at, now)}</span>
    </div>
  );
}

// ---- what the agent said

function TextRow({ item }: { item: TextItem }) {
  const { compose } = useOpenSession();
  return (
    <div className="answer" aria-busy={item.live || undefined}>
      <Markdown text={item.text} live={item.live} />
      {!item.live && (
        <div className="answer-actions row-actions">
          <CopyButton text={item.text} label="Copy as Markdown" />
          <IconButton icon={MessageSquareQuote} size="sm" label="Quote in message" onClick={() => compose(quote(item.text), "insert")} />
        </div>
      )}
    </div>
  );
}

function ThinkingRow({ item }: { item: ThinkingItem }) {
  const { model } = useOpenSession();
  const standard = usePref("thinking") === "open";
  const open = useOpen(model, item.id, standard);
  const body = item.text.trim();
  const words = item.live ? "Thinking" : item.seconds === null ? "Thought" : `Thought for ${duration(item.seconds * 1_000)}`;
  const line = (
    <>
      <Icon icon={Brain} className="tool-icon" />
      <span className={cx("tool-verb", item.live && "pulse")}>{words}</span>
      {item.live && item.since !== null && <Running since={item.since} />}
      {item.live && !open && <span className="tool-result">{lastLine(body)}</span>}
      <span className="flex-1" />
    </>
  );
  if (body === "") return <div className="tool-line tool-still">{line}</div>;
  return (
    <div className="tool" data-state={item.live ? "running" : "done"}>
      <button type="button" className="tool-line" aria-expanded={open} onClick={() => model.setOpen(item.id, !open)}>
        {line}
        <Icon icon={ChevronRight} size={14} className={cx("tool-chevron", open && "rotate-90")} />
      </button>
      {open && (
        <div className="tool-body thinking-body">
          <Markdown text={item.text} live={item.live} />
        </div>
      )}
    </div>
  );
}

function lastLine(text: string): string {
  const line = text.split("\n").at(-1)?.replace(/[*_`#]/g, "").trim() ?? "";
  return line.length > 140 ? `…${line.slice(-140)}` : line;
}

function GroupRow({ row }: { row: GroupRowData }) {
  const { model } = useOpenSession();
  // The rows change whenever a member does; members inside a folded group are finished.
  const items = row.itemIds.flatMap((id) => model.item(id) ?? []);
  const tools = items.filter((item): item is ToolItem => item.kind === "tool");
  const thought = items.reduce((sum, item) => sum + (item.kind === "thinking" ? (item.seconds ?? 0) : 0), 0);
  const summary = summarise(tools);
  return (
    <button type="button" className="tool-line group-line" aria-expanded={row.open} onClick={() => model.setOpen(row.id, !row.open)}>
      <Icon icon={Layers} className="tool-icon" />
      <span className="tool-object">{summary.words}</span>
      {summary.failed > 0 && <span className="text-meta font-medium text-fail">{summary.failed} failed</span>}
      {thought > 0 && <span className="tool-result">thought for {duration(thought * 1_000)}</span>}
      <span className="flex-1" />
      <Icon icon={ChevronRight} size={14} className={cx("tool-chevron", row.open && "rotate-90")} />
    </button>
  );
}

function SearchRow({ item }: { item: SearchItem }) {
  return (
    <div className="tool">
      <div className="tool-line tool-still">
        <Icon icon={Search} className="tool-icon" />
        <span className="tool-verb">{item.query === null ? "Found on the web" : "Searched the web for"}</span>
        {item.query !== null && <span className="tool-object">{item.query}</span>}
      </div>
      {item.hits.length > 0 && (
        <ul className="tool-body flex flex-col gap-0.5">
          {item.hits.map((hit) => (
            <li key={hit.url} className="truncate">
              <SafeLink href={hit.url}>{hit.title}</SafeLink>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

const CUSTOM_NAMES: Record<string, string> = { "background-bash": "Background command", "subagent-result": "Result of a delegated task", trigger: "Trigger" };

function CustomRow({ item }: { item: CustomItem }) {
  const { model } = useOpenSession();
  const long = item.text.length > 600 || item.text.split("\n").length > 10;
  const open = useOpen(model, item.id, !long);
  return (
    <div className="tool" data-state="done">
      <button type="button" className="tool-line" aria-expanded={open} onClick={() => model.setOpen(item.id, !open)}>
        <Icon icon={Layers} className="tool-icon" />
        <span className="tool-verb">{CUSTOM_NAMES[item.customType] ?? item.customType.replace(/[-_]/g, " ")}</span>
        {!open && <span className="tool-result">{item.text.trim().split("\n")[0]}</span>}
        <span className="flex-1" />
        <Icon icon={ChevronRight} size={14} className={cx("tool-chevron", open && "rotate-90")} />
      </button>
      {open && (
        <div className="tool-body">
          <Markdown text={item.text} />
          {item.images.length > 0 && <Pictures images={item.images} />}
        </div>
      )}
    </div>
  );
}

function UnknownRow({ item }: { item: UnknownItem }) {
  const { model } = useOpenSession();
  const open = useOpen(model, item.id, false);
  return (
    <div className="tool" data-state="done">
      <button type="button" className="tool-line" aria-expanded={open} onClick={() => model.setOpen(item.id, !open)}>
        <Icon icon={Layers} className="tool-icon" />
        <span className="tool-verb">{item.name}</span>
        {!open && <span className="tool-result">{stringify(item.raw).slice(0, 120)}</span>}
        <span className="flex-1" />
        <Icon icon={ChevronRight} size={14} className={cx("tool-chevron", open && "rotate-90")} />
      </button>
      {open && (
        <div className="tool-body">
          <Suspense fallback={null}>
            <JsonTree value={item.raw} />
          </Suspense>
        </div>
      )}
    </div>
  );
}

// ---- what is happening now

/** The item being written, found again whenever the rows or that item change. */
function useCurrent(model: SessionModel): Item | null {
  useRows(model);
  const current = model.current();
  useItem(model, current?.id ?? "");
  return model.current();
}

function WorkingRow() {
  const { model } = useOpenSession();
  const current = useCurrent(model);
  const cwd = useFacts(model, (facts) => facts.cwd);
  const compacting = useFacts(model, (facts) => facts.compacting);
  const [since] = useState(() => Date.now());
  let words = "Waiting for the model";
  let from = since;
  if (compacting) words = "Compacting the conversation";
  else if (current?.kind === "thinking") {
    words = "Thinking";
    from = current.since ?? since;
  } else if (current?.kind === "text") words = "Writing";
  else if (current?.kind === "tool") {
    const line = describe(current, cwd);
    words = `${line.verb} ${line.object}`;
    from = current.since ?? since;
  }
  return (
    <div className="working" role="status" aria-label={words}>
      <span className="working-dot pulse" aria-hidden="true" />
      <span className="truncate">{words}</span>
      <Running since={from} className="shrink-0" />
    </div>
  );
}
