import { X } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { setSessionParams, useRoute, type Panel } from "@/app/routes";
import { DEFAULT_PREFS, setPref, usePref } from "@/data/prefs";
import { useMeta, useSession } from "@/data/hub";
import { useRunner } from "@/data/runners";
import { IconButton, Sheet, SkeletonRows, Splitter, Tabs, useWidth, type TabDef } from "@/ui";
import { useFacts, useHydration, useOpenSession, useRows } from "../context";
import { ContextPanel } from "./ContextPanel";
import { Tasks } from "./Tasks";

const Changes = lazy(() => import("@/features/git").then((part) => ({ default: part.Changes })));
const Files = lazy(() => import("@/features/files").then((part) => ({ default: part.Files })));

/** Limits of the inspector's width, px; the transcript keeps at least its own minimum. */
const MIN = 340;
const TRANSCRIPT_MIN = 420;

const TABS: readonly TabDef<Panel>[] = [
  { value: "changes", label: "Changes" },
  { value: "files", label: "Files" },
  { value: "tasks", label: "Tasks" },
  { value: "context", label: "Context" },
];

export function Side({ panel }: { panel: Panel }) {
  const { sessionId } = useOpenSession();
  const width = useWidth();
  const stored = usePref("inspectorWidth");
  const listWidth = usePref("listWidth");
  const close = (): void => setSessionParams(sessionId, { p: undefined, f: undefined, l: undefined }, { replace: true });
  const room = useRoom(listWidth);
  if (width === "S" || width === "M" || room < MIN) {
    return (
      <Sheet open onClose={close} side={width === "S" ? "full" : "right"} title="Session" hideTitle>
        <Inspector panel={panel} onClose={close} />
      </Sheet>
    );
  }
  return (
    <>
      <Splitter label="Width of the inspector" value={Math.min(stored, room)} min={MIN} max={room} initial={DEFAULT_PREFS.inspectorWidth} onChange={(value) => setPref("inspectorWidth", value)} sign={-1} />
      <aside aria-label="Inspector" data-region="inspector" className="flex min-w-0 shrink-0 flex-col bg-bg" style={{ width: Math.min(stored, room) }}>
        <Inspector panel={panel} onClose={close} />
      </aside>
    </>
  );
}

function useRoom(listWidth: number): number {
  const [inner, setInner] = useState(() => window.innerWidth);
  useEffect(() => {
    const onResize = (): void => setInner(window.innerWidth);
    addEventListener("resize", onResize);
    return () => removeEventListener("resize", onResize);
  }, []);
  return inner - listWidth - TRANSCRIPT_MIN;
}

function Inspector({ panel, onClose }: { panel: Panel; onClose: () => void }) {
  const { sessionId } = useOpenSession();
  const shown = TABS.some((tab) => tab.value === panel) ? panel : "changes";
  return (
    <Tabs
      label="Inspector"
      value={shown}
      tabs={TABS}
      className="inspector min-h-0 flex-1"
      onChange={(next) => setSessionParams(sessionId, { p: next, f: undefined, l: undefined }, { replace: true })}
      trailing={<IconButton icon={X} label="Close" className="mr-1.5" onClick={onClose} />}
    >
      <div className="flex h-full min-h-0 flex-col">
        <Suspense fallback={<SkeletonRows rows={6} className="p-4" />}>
          <Part panel={shown} />
        </Suspense>
      </div>
    </Tabs>
  );
}

/** Moves when a tool that may have changed files has ended. */
function useTouch(): number {
  const { model } = useOpenSession();
  useRows(model);
  return model.toolsEnded;
}

function Part({ panel }: { panel: Panel }) {
  const { sessionId, model, compose } = useOpenSession();
  const route = useRoute();
  const row = useSession(sessionId);
  const runner = useRunner(row?.info.runnerId);
  const cwd = useFacts(model, (facts) => facts.cwd) ?? row?.info.cwd ?? null;
  const replay = useHydration(model).phase === "replay";
  const todos = useMeta(sessionId, (meta) => meta.todoList);
  const own = useFacts(model, (facts) => facts.todos);
  const touch = useTouch();
  const file = route.name === "session" ? route.f : undefined;
  const line = route.name === "session" ? route.l : undefined;
  const open = (path: string | undefined): void => setSessionParams(sessionId, { f: path, l: undefined }, { replace: file !== undefined });
  switch (panel) {
    case "files":
      return <Files runnerId={runner?.online ? runner.id : null} cwd={cwd} file={file} line={line} touch={touch} onFile={open} onMention={(text) => compose(text, "insert")} />;
    case "tasks":
      return <Tasks todos={todos && todos.length > 0 ? todos : own} />;
    case "context":
      return <ContextPanel />;
    default:
      return <Changes sessionId={sessionId} cwd={cwd} touch={touch} open={file} onOpen={open} onComment={(text) => compose(text, "insert")} readOnly={replay} />;
  }
}
