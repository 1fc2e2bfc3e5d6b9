import { Ban, ChevronRight, CircleSlash, CircleX, LoaderCircle } from "lucide-react";
import { lazy, memo, Suspense, useState, useSyncExternalStore, type ReactNode } from "react";
import { duration } from "@/data/format";
import { secondTicker } from "@/net/clock";
import { Button, Icon, Skeleton, cx, toast } from "@/ui";
import { stripAnsi } from "@/transcript/ansi";
import { plainText } from "@/transcript/message";
import type { ToolItem, ToolState } from "@/transcript/model";
import { runExec } from "@/data/answers";
import { messageOf } from "@/net/api";
import { useFacts, useOpen, useOpenSession } from "../context";
import { Boundary } from "../log/Boundary";
import { describe, kindOf } from "./describe";
import { TOOL_ICONS } from "./icons";

const ToolBody = lazy(() => import("./bodies"));

/** Shown as a duration only when somebody could have noticed it, ms. */
const NOTICEABLE_MS = 1_000;
/** Lines of live output under a running tool. */
const LIVE_LINES = 3;

const STATE_WORDS: Record<ToolState, string> = { preparing: "Preparing", running: "Running", done: "Done", failed: "Failed", stopped: "Stopped" };

export const ToolRow = memo(function ToolRow({ item }: { item: ToolItem }) {
  const { model } = useOpenSession();
  const cwd = useFacts(model, (facts) => facts.cwd);
  const open = useOpen(model, item.id, false);
  const line = describe(item, cwd);
  const running = item.state === "running" || item.state === "preparing";
  const kind = kindOf(item.name);
  return (
    <div className="tool" data-state={item.state}>
      <button type="button" className="tool-line" aria-expanded={open} onClick={() => model.setOpen(item.id, !open)}>
        <Icon icon={TOOL_ICONS[kind]} className={cx("tool-icon", running && "text-run")} />
        <span className={cx("tool-verb", running && item.state === "running" && "pulse")}>{line.verb}</span>
        <span className={cx("tool-object", line.mono && "font-mono text-code")}>{line.object}</span>
        {line.change && (
          <span className="tool-change tnum">
            {line.change.added > 0 && <span className="text-done">+{line.change.added}</span>}
            {line.change.removed > 0 && <span className="text-fail">−{line.change.removed}</span>}
          </span>
        )}
        {line.result && <span className="tool-result">{line.result}</span>}
        <span className="flex-1" />
        <Took item={item} />
        <StateMark state={item.state} />
        <Icon icon={ChevronRight} size={14} className={cx("tool-chevron", open && "rotate-90")} />
      </button>
      {running && !open && kind === "bash" && <LiveOutput item={item} />}
      {open && (
        <div className="tool-body">
          <Boundary raw={item}>
            <Suspense fallback={<Skeleton className="h-16" />}>
              <ToolBody item={item} />
            </Suspense>
          </Boundary>
          {item.state === "running" && kind === "bash" && <RunningActions />}
        </div>
      )}
    </div>
  );
});

function Took({ item }: { item: ToolItem }) {
  if (item.since !== null && item.state === "running") return <Running since={item.since} />;
  if (item.durationMs !== null && item.durationMs >= NOTICEABLE_MS) return <span className="tool-time tnum">{duration(item.durationMs)}</span>;
  return null;
}

/** The count of something that runs; one timer for the whole page. */
export function Running({ since, className }: { since: number; className?: string }) {
  useSyncExternalStore(secondTicker.subscribe, secondTicker.get);
  const elapsed = Date.now() - since;
  if (elapsed < NOTICEABLE_MS) return null;
  return <span className={cx("tool-time tnum", className)}>{duration(elapsed)}</span>;
}

function StateMark({ state }: { state: ToolState }): ReactNode {
  const words = <span className="sr-only">{STATE_WORDS[state]}</span>;
  switch (state) {
    case "running":
    case "preparing":
      return (
        <>
          <Icon icon={LoaderCircle} size={14} className="ui-spin text-run" />
          {words}
        </>
      );
    case "failed":
      return (
        <span className="inline-flex items-center gap-1 text-meta font-medium text-fail">
          <Icon icon={CircleX} size={14} />
          Failed
        </span>
      );
    case "stopped":
      return (
        <span className="inline-flex items-center gap-1 text-meta text-text-3">
          <Icon icon={CircleSlash} size={14} />
          Stopped
        </span>
      );
    case "done":
      return words;
  }
}

function LiveOutput({ item }: { item: ToolItem }) {
  const output = stripAnsi(plainText(item.content)).trimEnd();
  if (output === "") return null;
  return (
    <pre className="live-output" aria-hidden="true">
      {output.split("\n").slice(-LIVE_LINES).join("\n")}
    </pre>
  );
}

/** A command that runs may be stopped with the whole run, or left to go on by itself. */
function RunningActions() {
  const { sessionId } = useOpenSession();
  const [busy, setBusy] = useState<"abort" | "background_bash" | null>(null);
  const run = async (command: "abort" | "background_bash"): Promise<void> => {
    setBusy(command);
    try {
      await runExec(sessionId, command);
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    } finally {
      setBusy(null);
    }
  };
  return (
    <div className="flex gap-2">
      <Button size="sm" icon={Ban} busy={busy === "abort"} onClick={() => void run("abort")}>
        Stop
      </Button>
      <Button size="sm" kind="quiet" busy={busy === "background_bash"} onClick={() => void run("background_bash")}>
        Move to background
      </Button>
    </div>
  );
}
