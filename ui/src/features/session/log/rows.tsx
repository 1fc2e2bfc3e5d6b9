import { Brain, Check, CheckCheck, ChevronRight, CircleAlert, Clock3, Layers, MessageSquareQuote, Minimize2, Paperclip, Pencil, RotateCcw, Search, Trash2, TriangleAlert, X, type LucideIcon } from "lucide-react";
import { lazy, memo, Suspense, useState, useSyncExternalStore, type ReactNode } from "react";
import { bytes, dayName, duration, tokens } from "@/data/format";
import { outbox, useOutbox, type OutboxItem, type OutboxState } from "@/data/outbox";
import { usePref } from "@/data/prefs";
import { minuteTicker } from "@/net/clock";
import { Button, CopyButton, Icon, IconButton, RelativeTime, Spinner, cx } from "@/ui";
import { stripAnsi } from "@/transcript/ansi";
import { stringify } from "@/transcript/json";
import type { CustomItem, Item, NoticeItem, SearchItem, TextItem, ThinkingItem, ToolItem, UnknownItem, UserItem } from "@/transcript/model";
import type { GroupRow as GroupRowData, Row } from "@/transcript/rows";
import type { DeliveryState, SessionModel } from "@/transcript/session";
import { describe, summarise } from "../cards/describe";
import { Pictures } from "../cards/Pictures";
import { Running, ToolRow } from "../cards/ToolRow";
import { useDelivery, useFacts, useItem, useOpen, useOpenSession, useRows } from "../context";
import { Boundary } from "./Boundary";
import { Markdown } from "./Markdown";
import { SafeLink } from "./links";

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

// ---- what the person said

function UserRow({ item }: { item: UserItem }) {
  const { model, compose } = useOpenSession();
  const delivery = useDelivery(model, item.requestId);
  return (
    <div className="said">
      <h2 className="sr-only">You said</h2>
      <div className="said-box">
        {item.text !== "" && <UserText text={item.text} />}
        {item.images.length > 0 && <Pictures images={item.images} />}
      </div>
      <div className="said-foot">
        <span className="row-actions">
          <IconButton icon={MessageSquareQuote} size="sm" label="Quote in message" onClick={() => compose(quote(item.text), "insert")} />
          <CopyButton text={item.text} label="Copy message" />
        </span>
        {item.at !== null && <RelativeTime at={item.at} className="row-time tnum" />}
        {delivery && <DeliveryMark state={delivery.state} message={delivery.message} />}
      </div>
    </div>
  );
}

export function quote(text: string): string {
  return `${text
    .trim()
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n")}\n\n`;
}

/** Prompts are text, not Markdown: what was typed is what is shown. Long ones fold. */
function UserText({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const lines = text.split("\n");
  const long = lines.length > 24 || text.length > 4_000;
  const shown = long && !open ? lines.slice(0, 16).join("\n").slice(0, 2_400) : text;
  return (
    <>
      <p className="said-text">{shown}</p>
      {long && (
        <button type="button" className="inline-more" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : "Show all"}
        </button>
      )}
    </>
  );
}

const DELIVERY: Record<DeliveryState, { icon: LucideIcon; words: string; loud: boolean }> = {
  accepted: { icon: Check, words: "Stored by the relay", loud: false },
  delivered: { icon: Check, words: "The session has it", loud: false },
  consumed: { icon: CheckCheck, words: "The agent has read it", loud: false },
  rejected: { icon: X, words: "Refused", loud: true },
  expired: { icon: Clock3, words: "Not delivered in time", loud: true },
  cancelled: { icon: X, words: "Withdrawn", loud: true },
  unknown: { icon: CircleAlert, words: "Not known whether the agent read it", loud: true },
};

function DeliveryMark({ state, message }: { state: DeliveryState; message: string | null }) {
  const mark = DELIVERY[state];
  return (
    <span className={cx("delivery", mark.loud && "text-wait")} data-state={state} title={message ?? mark.words}>
      <Icon icon={mark.icon} size={14} />
      <span className={mark.loud ? "" : "sr-only"}>{mark.words}</span>
    </span>
  );
}

const OUTBOX_WORDS: Record<OutboxState, string> = { uploading: "Uploading", waiting: "Waiting", sending: "Sending", sent: "Sent", unconfirmed: "Not confirmed yet", failed: "Not sent" };

function PendingRow({ requestId }: { requestId: string }) {
  const { sessionId } = useOpenSession();
  const item = useOutbox(sessionId).find((entry) => entry.requestId === requestId);
  return item ? <PendingMessage item={item} /> : null;
}

function PendingMessage({ item }: { item: OutboxItem }) {
  const { compose } = useOpenSession();
  const bad = item.state === "failed" || item.state === "unconfirmed";
  return (
    <div className="said" data-pending={item.state}>
      <div className="said-box">
        {item.text !== "" && <UserText text={item.text} />}
        {item.attachments.length > 0 && (
          <ul className="mt-1 flex flex-wrap gap-2">
            {item.attachments.map((attachment) => (
              <li key={attachment.id} className="inline-flex items-center gap-1.5 text-meta text-text-2">
                <Icon icon={Paperclip} size={14} />
                {attachment.name} <span className="text-text-3">{bytes(attachment.size)}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      <div className="said-foot">
        <span role="status" className={cx("inline-flex min-w-0 items-center gap-1.5", bad ? "text-fail" : "text-text-3")}>
          {bad ? <Icon icon={CircleAlert} size={14} /> : item.state === "sent" ? <Icon icon={Check} size={14} /> : <Spinner size={12} />}
          <span className="truncate">
            {OUTBOX_WORDS[item.state]}
            {item.state === "uploading" && item.progress !== undefined ? ` ${Math.round(item.progress * 100)} %` : ""}
            {item.reason && item.reason !== OUTBOX_WORDS[item.state] ? ` · ${item.reason}` : ""}
          </span>
        </span>
        {item.state === "unconfirmed" && <span className="text-meta text-text-3 max-m:hidden">Retry only if you don't see it.</span>}
        {bad && (
          <Button size="sm" kind="quiet" icon={RotateCcw} onClick={() => outbox.retry(item.requestId)}>
            Retry
          </Button>
        )}
        {(bad || item.state === "waiting") && (
          <IconButton
            icon={Pencil}
            size="sm"
            label="Edit message"
            onClick={() => {
              const taken = outbox.edit(item.requestId);
              if (taken) compose(taken.text, "replace");
            }}
          />
        )}
        {item.state !== "sent" && item.state !== "sending" && <IconButton icon={Trash2} size="sm" label="Delete message" onClick={() => outbox.remove(item.requestId)} />}
      </div>
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

// ---- notices

function NoticeRow({ item }: { item: NoticeItem }) {
  switch (item.notice) {
    case "compaction":
    case "branch":
    case "break":
      return <Divider item={item} />;
    case "error":
    case "cli-error":
      return <Failure item={item} />;
    case "length":
      return (
        <p className="notice text-wait">
          <Icon icon={TriangleAlert} size={14} />
          {item.text}
        </p>
      );
    case "aborted":
    case "model":
    case "note":
      return (
        <p className={cx("notice", item.tone === "error" ? "text-fail" : item.tone === "warning" ? "text-wait" : "text-text-3")}>
          <span className="whitespace-pre-wrap">{stripAnsi(item.text)}</span>
        </p>
      );
  }
}

function Divider({ item }: { item: NoticeItem }) {
  const { model } = useOpenSession();
  const open = useOpen(model, item.id, false);
  const words = item.tokensBefore === null ? item.text : `${item.text}, ${tokens(item.tokensBefore)} tokens before`;
  return (
    <div className="divider">
      <div className="divider-line">
        {item.detail ? (
          <button type="button" aria-expanded={open} onClick={() => model.setOpen(item.id, !open)}>
            <Icon icon={Minimize2} size={14} />
            {words}
            <Icon icon={ChevronRight} size={14} className={cx("transition-transform", open && "rotate-90")} />
          </button>
        ) : (
          <span>{words}</span>
        )}
      </div>
      {open && item.detail && (
        <div className="tool-body">
          <Markdown text={item.detail} />
        </div>
      )}
    </div>
  );
}

const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/rate.?limit|429|too many requests/i, "The provider's rate limit was reached. Wait a little, or choose another model."],
  [/overloaded|529|503/i, "The provider is overloaded. Try again in a moment."],
  [/401|403|unauthori[sz]ed|invalid.*(api.?key|credential)|no credentials|authentication/i, "The provider did not accept the credentials. Check the key on the runner."],
  [/context.*(length|window|too long)|prompt is too long|maximum context/i, "The conversation no longer fits the model. Compact it, then try again."],
  [/model.*(not found|does not exist|deprecated)|404/i, "The provider does not know this model. Choose another one."],
  [/ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|dns|network|fetch failed|connection/i, "The runner could not reach the provider."],
  [/insufficient|quota|billing|credit/i, "The provider's quota or balance is used up."],
];

function Failure({ item }: { item: NoticeItem }) {
  const technical = item.notice === "error" ? (item.detail ?? "") : item.text;
  const cause = CAUSES.find(([pattern]) => pattern.test(technical))?.[1];
  const head = item.notice === "error" ? (cause ?? item.text) : (cause ?? item.text);
  const detail = technical !== head ? technical : "";
  return (
    <div className="failure" role="group" aria-label="Error">
      <Icon icon={CircleAlert} className="mt-0.5 text-fail" />
      <div className="min-w-0 flex-1">
        <p className="whitespace-pre-wrap text-text">{stripAnsi(head)}</p>
        {item.notice === "cli-error" && item.detail && <p className="text-meta text-text-3">{item.detail}</p>}
        {detail !== "" && (
          <details className="mt-1 text-meta text-text-3">
            <summary className="w-fit">Details</summary>
            <pre className="mt-1 font-mono whitespace-pre-wrap select-text">{stripAnsi(detail)}</pre>
          </details>
        )}
      </div>
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
