import { ArrowDown } from "lucide-react";
import { lazy, memo, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useRoute } from "@/app/routes";
import { plural } from "@/data/format";
import { useOutbox, type OutboxItem } from "@/data/outbox";
import { usePref } from "@/data/prefs";
import { markFailed, useDecisions } from "@/data/hub";
import { REASON } from "@/data/attention";
import { Icon, Skeleton, Spinner, announce, cx } from "@/ui";
import type { Row } from "@/transcript/rows";
import { useFacts, useHydration, useOpenSession, useRows } from "../context";
import { RowView } from "./rows";
import { useRowKeys } from "./useRowKeys";
import { useScroll } from "./useScroll";

const Find = lazy(() => import("./Find"));

/** The transcript. Redraws when rows come or go; a row redraws itself. */
export const Log = memo(function Log() {
  const { sessionId, model, attachment, onJumpToEnd } = useOpenSession();
  const rows = useRows(model);
  const hydration = useHydration(model);
  const outbox = useOutbox(sessionId);
  const thinking = usePref("thinking");
  const showAll = usePref("showAllRows");
  const scroll = useScroll({ sessionId, rows, estimate: (row) => estimate(row, model), onNearTop: () => attachment()?.loadOlder(), showAll });
  const { virtualizer, following } = scroll;

  const queue = useFacts(model, (facts) => facts.queue);
  const waiting = useMemo(() => unseen(outbox, queue), [outbox, queue]);
  useEffect(() => model.setView({ outbox: waiting }), [model, waiting]);
  useEffect(() => model.setView({ hideThinking: thinking === "hidden" }), [model, thinking]);
  useEffect(() => model.setView({ hold: !following }), [model, following]);
  useEffect(() => {
    onJumpToEnd(scroll.jumpToEnd);
    return () => onJumpToEnd(null);
  }, [onJumpToEnd, scroll.jumpToEnd]);
  // What the person just said is what they want to see.
  const lastOwn = waiting.at(-1);
  const shownOwn = useRef(lastOwn);
  useEffect(() => {
    if (lastOwn !== undefined && lastOwn !== shownOwn.current) scroll.jumpToEnd();
    shownOwn.current = lastOwn;
  }, [lastOwn, scroll]);
  useAnnouncements();

  useRowKeys(scroll.box, rows, scroll);
  const [finding, setFinding] = useState(false);
  const closeFind = useCallback(() => {
    setFinding(false);
    document.getElementById("transcript")?.focus({ preventScroll: true });
  }, []);
  useLinkedMessage(sessionId, rows, scroll.jumpTo);

  const news = useNews(rows, following);
  const items = virtualizer.getVirtualItems();
  return (
    <div
      className="log-frame"
      onKeyDown={(event) => {
        if (!event.defaultPrevented && (event.metaKey || event.ctrlKey) && !event.shiftKey && event.key.toLowerCase() === "f" && !finding) {
          event.preventDefault();
          setFinding(true);
        }
        if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.matches("[data-row]")) event.target.querySelector<HTMLElement>("button[aria-expanded]")?.click();
      }}
    >
      {finding && (
        <Suspense fallback={null}>
          <Find onJump={scroll.jumpTo} onClose={closeFind} />
        </Suspense>
      )}
      <div ref={scroll.box} className="log" role="log" aria-label="Conversation" aria-live="off" tabIndex={0} id="transcript" data-following={following}>
        <h2 className="sr-only">Conversation</h2>
        <div ref={virtualizer.containerRef} className="log-rows">
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            return (
              <div key={row.id} ref={virtualizer.measureElement} data-index={item.index} data-row={row.id} data-gap={row.gap} data-kind={row.kind === "item" ? row.item : row.kind} data-in-group={(row.kind === "item" && row.inGroup) || undefined} tabIndex={-1} role="article" aria-setsize={rows.length} aria-posinset={item.index + 1} className="row">
                <div className="column">
                  <RowView row={row} />
                </div>
              </div>
            );
          })}
        </div>
      </div>
      {rows.length === 0 && <Empty />}
      {hydration.total !== null && hydration.total > 0 && (
        <div className="log-progress" role="status">
          <Spinner size={14} />
          {hydration.received.toLocaleString()} of {hydration.total.toLocaleString()} messages
        </div>
      )}
      {!following && <Jump news={news} onJump={scroll.jumpToEnd} />}
    </div>
  );
});

/** Messages that stand nowhere else: what the agent has put into its queue is shown there. */
function unseen(items: readonly OutboxItem[], queue: readonly string[]): readonly string[] {
  const left = [...queue];
  return items.flatMap((item) => {
    const at = item.state === "sent" ? left.indexOf(item.text) : -1;
    if (at < 0) return item.requestId;
    left.splice(at, 1);
    return [];
  });
}

/** A link to one message brings it into view, once. */
function useLinkedMessage(sessionId: string, rows: readonly Row[], jumpTo: (rowId: string) => void): void {
  const route = useRoute();
  const wanted = route.name === "session" && route.id === sessionId ? route.m : undefined;
  const done = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (wanted === undefined || done.current === wanted || !rows.some((row) => row.id === wanted)) return;
    done.current = wanted;
    jumpTo(wanted);
  }, [wanted, rows, jumpTo]);
}

/** Rows that appeared below since the reader left the end. */
function useNews(rows: readonly Row[], following: boolean): number {
  const seen = useRef<ReadonlySet<string> | null>(null);
  seen.current ??= new Set(rows.map((row) => row.id));
  const [left, setLeft] = useState(following);
  if (following || left) seen.current = new Set(rows.map((row) => row.id));
  if (left !== following) setLeft(following);
  return useMemo(() => {
    if (following) return 0;
    let count = 0;
    for (let index = rows.length - 1; index >= 0; index -= 1) {
      const row = rows[index];
      if (!row || seen.current?.has(row.id)) break;
      if (row.kind !== "working" && row.kind !== "day") count += 1;
    }
    return count;
  }, [rows, following]);
}

function Jump({ news, onJump }: { news: number; onJump: () => void }) {
  const { sessionId } = useOpenSession();
  const decision = useDecisions(sessionId)[0];
  return (
    <button type="button" className={cx("jump", decision && "jump-wait")} onClick={onJump}>
      <Icon icon={ArrowDown} size={14} />
      {decision ? REASON[decision.kind] : news > 0 ? plural(news, "new row") : "Jump to latest"}
    </button>
  );
}

/** Before anything is known: the shape of what is coming, but not at once. */
function Empty() {
  const { model } = useOpenSession();
  const hydration = useHydration(model);
  if (hydration.phase === "live" || hydration.phase === "replay" || hydration.phase === "failed") return null;
  return (
    <div className="log-empty" aria-busy="true" aria-label="Loading the conversation">
      <div className="column flex flex-col gap-4">
        <Skeleton className="ml-auto h-11 w-2/5 rounded-card" />
        <Skeleton className="h-4 w-4/5" />
        <Skeleton className="h-4 w-3/5" />
        <Skeleton className="h-8 w-2/3" />
        <Skeleton className="h-8 w-1/2" />
        <Skeleton className="h-4 w-11/12" />
        <Skeleton className="h-4 w-1/3" />
      </div>
    </div>
  );
}

/** Finished answers and failures, said once; never the stream. */
function useAnnouncements(): void {
  const { sessionId, model } = useOpenSession();
  const rows = useRows(model);
  const working = rows.at(-1)?.kind === "working";
  const before = useRef(working);
  useEffect(() => {
    if (before.current && !working) {
      const first = (model.lastText() ?? "").replace(/[*_`#>]/g, "").trim().split(/(?<=[.!?])\s/)[0] ?? "";
      markFailed(sessionId, model.lastFailure() ?? undefined);
      announce(`Agent finished${first === "" ? "" : `: ${first.slice(0, 160)}`}`);
    }
    before.current = working;
  }, [working, model, sessionId]);
}

/** A first guess of a row's height, so that the scroll bar is about right before anything is measured. */
function estimate(row: Row, model: ReturnType<typeof useOpenSession>["model"]): number {
  if (row.kind !== "item") return row.kind === "outbox" ? 96 : 40;
  const item = model.item(row.itemId);
  if (item?.kind === "text") return 24 + Math.ceil(item.text.length / 88) * 24 + (item.text.match(/\n\n/g)?.length ?? 0) * 12;
  if (item?.kind === "user") return 72 + Math.min(16, Math.ceil(item.text.length / 70)) * 22;
  if (item?.kind === "notice") return 44;
  return 32;
}
