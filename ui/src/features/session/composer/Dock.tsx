import { ChevronRight, CornerDownLeft, ListTodo, Pencil, Plug, RotateCw, Trash2, X, Zap } from "lucide-react";
import { memo, useEffect, useState, useSyncExternalStore } from "react";
import { setSessionParams } from "@/app/routes";
import { runExec } from "@/data/answers";
import { duration } from "@/data/format";
import { useMeta } from "@/data/hub";
import { outbox } from "@/data/outbox";
import { messageOf } from "@/net/api";
import { secondTicker } from "@/net/clock";
import { Button, Icon, IconButton, cx, toast } from "@/ui";
import { flag, list, number, object, words } from "@/transcript/json";
import { TodoList } from "../cards/TodoList";
import { useFacts, useOpenSession } from "../context";
import { DecisionStack } from "../decisions/DecisionStack";
import { Composer } from "./Composer";

/** A finished list stays this long, ms. */
const TODO_DONE_MS = 10_000;
/** Own changes of the queue are shown until the agent's next word about it, but not longer, ms. */
const SHIELD_MS = 4_000;

/** Everything between the transcript and the edge of the screen. */
export const Dock = memo(function Dock() {
  return (
    <div className="dock">
      <DecisionStack />
      <RetryLine />
      <ServersLine />
      <QueueStrip />
      <TodoLine />
      <Composer />
    </div>
  );
});

function RetryLine() {
  const { sessionId } = useOpenSession();
  const retry = useMeta(sessionId, (meta) => meta.retryState);
  const now = useSyncExternalStore(secondTicker.subscribe, secondTicker.get);
  const [busy, setBusy] = useState(false);
  if (!retry) return null;
  const stop = (): void => {
    setBusy(true);
    runExec(sessionId, "abort")
      .catch((error: unknown) => toast(messageOf(error), { tone: "fail" }))
      .finally(() => setBusy(false));
  };
  return (
    <div className="column">
      <div role="status" className="strip strip-wait">
        <Icon icon={RotateCw} size={14} className="ui-spin" />
        <span className="min-w-0 flex-1 truncate" title={retry.errorMessage}>
          Retrying: {retry.errorMessage}
        </span>
        <span className="tnum text-meta">{duration(Math.max(0, now - retry.detectedAt))}</span>
        <Button size="sm" kind="quiet" busy={busy} onClick={stop}>
          Stop
        </Button>
      </div>
    </div>
  );
}

/** Tool servers that did not start. Nothing when all is well; once read, it stays away until the next report. */
function ServersLine() {
  const { sessionId } = useOpenSession();
  const report = object(useMeta(sessionId, (meta) => meta.mcpStartupReport));
  const [dismissed, setDismissed] = useState<number | null>(null);
  if (!report) return null;
  const servers = list(report["serverTimings"]).length;
  const failed = new Set(list(report["errors"]).flatMap((entry) => words(object(entry)?.["server"]) ?? [])).size;
  const slow = flag(report["showSlowWarning"]) ?? false;
  const stamp = number(report["ts"]) ?? 0;
  if ((failed === 0 && !slow) || dismissed === stamp) return null;
  return (
    <div className="column">
      <div role="status" className="strip text-text-2">
        <Icon icon={Plug} size={14} />
        <span className="min-w-0 flex-1 truncate">{failed > 0 ? `${failed} of ${Math.max(servers, failed)} MCP servers failed to start` : "The MCP servers were slow to start"}</span>
        <Button size="sm" kind="quiet" onClick={() => setSessionParams(sessionId, { p: "context" })}>
          Show
        </Button>
        <IconButton icon={X} size="sm" label="Dismiss" side="top" onClick={() => setDismissed(stamp)} />
      </div>
    </div>
  );
}

/** What waits for the run to end. The agent's list counts; own edits are shown until it answers. */
function QueueStrip() {
  const { sessionId, model, compose } = useOpenSession();
  const theirs = useFacts(model, (facts) => facts.queue);
  const active = useFacts(model, (facts) => facts.active);
  const [mine, setMine] = useState<readonly string[] | null>(null);
  useEffect(() => setMine(null), [theirs]);
  useEffect(() => {
    if (mine === null) return undefined;
    const timer = setTimeout(() => setMine(null), SHIELD_MS);
    return () => clearTimeout(timer);
  }, [mine]);
  const queue = mine ?? theirs;
  if (queue.length === 0) return null;
  const write = (next: readonly string[]): void => {
    setMine(next);
    runExec(sessionId, "set_queued_messages", { messages: next }).catch((error: unknown) => {
      setMine(null);
      toast(`The queue was not changed. ${messageOf(error)}`, { tone: "fail" });
    });
  };
  const without = (index: number): readonly string[] => queue.filter((_, at) => at !== index);
  return (
    <div className="column">
      <ul className="queue" aria-label="Queued messages">
        {queue.map((message, index) => (
          <li key={`${index}:${message}`}>
            <Icon icon={CornerDownLeft} size={14} className="text-text-3" />
            <span className="min-w-0 flex-1 truncate" title={message}>
              {message}
            </span>
            <span className="queue-actions">
              {active && (
                <IconButton
                  icon={Zap}
                  size="sm"
                  side="top"
                  label="Send now"
                  onClick={() => {
                    write(without(index));
                    outbox.submit({ sessionId, text: message, deliverAs: "steer" });
                  }}
                />
              )}
              <IconButton
                icon={Pencil}
                size="sm"
                side="top"
                label="Edit"
                onClick={() => {
                  write(without(index));
                  compose(message, "replace");
                }}
              />
              <IconButton icon={Trash2} size="sm" side="top" label="Remove" onClick={() => write(without(index))} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function TodoLine() {
  const { sessionId, model } = useOpenSession();
  const own = useFacts(model, (facts) => facts.todos);
  const meta = useMeta(sessionId, (state) => state.todoList);
  const todos = meta && meta.length > 0 ? meta : own;
  const [open, setOpen] = useState(false);
  const done = todos.filter((todo) => todo.status === "done" || todo.status === "cancelled").length;
  const finished = todos.length > 0 && done === todos.length;
  const [hidden, setHidden] = useState(finished);
  useEffect(() => {
    if (!finished) {
      setHidden(false);
      return undefined;
    }
    const timer = setTimeout(() => setHidden(true), TODO_DONE_MS);
    return () => clearTimeout(timer);
  }, [finished]);
  if (todos.length === 0 || hidden) return null;
  const current = todos.find((todo) => todo.status === "in_progress") ?? todos.find((todo) => todo.status === "pending");
  return (
    <div className="column">
      <div className="todo-line" data-open={open || undefined}>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon icon={ListTodo} size={14} className="text-text-3" />
          <span className="tnum font-medium">
            {done} of {todos.length}
          </span>
          <span className="min-w-0 truncate text-text-2">{current?.text ?? "All done"}</span>
          <span className="flex-1" />
          <Icon icon={ChevronRight} size={14} className={cx("text-text-3 transition-transform", open ? "rotate-90" : "-rotate-90")} />
        </button>
        {open && (
          <div className="max-h-[30dvh] overflow-y-auto px-3 pt-1 pb-3 text-code">
            <TodoList todos={todos} />
          </div>
        )}
      </div>
    </div>
  );
}
