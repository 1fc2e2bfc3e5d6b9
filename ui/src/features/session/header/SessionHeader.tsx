import { ChevronLeft, Ellipsis, FileText, FolderTree, GitCompare, ListTodo, Map as MapIcon, Pencil, SquareTerminal } from "lucide-react";
import { memo, useEffect, useRef, useState } from "react";
import { useHotkey } from "@/app/hotkeys";
import { navigate, setSessionParams, to, useRoute, type Panel } from "@/app/routes";
import { runExec } from "@/data/answers";
import { baseName } from "@/data/format";
import { useHub, useMeta, useSession } from "@/data/hub";
import { messageOf } from "@/net/api";
import { Badge, Icon, IconButton, StatusMark, toast, useWidth } from "@/ui";
import { titleOf, useSessionStatus } from "@/features/sessions";
import { useFacts, useHydration, useOpenSession } from "../context";
import { GoalPill } from "./GoalPill";
import { PresenceLights } from "./PresenceLights";
import { SessionMenu } from "./SessionMenu";

const NAME_LIMIT = 120;

export const SessionHeader = memo(function SessionHeader() {
  const { sessionId, model } = useOpenSession();
  const row = useSession(sessionId);
  const starting = useHub((state) => state.starting.get(sessionId));
  const facts = useFacts(model, (state) => state);
  const hydration = useHydration(model);
  const planMode = useMeta(sessionId, (meta) => meta.planModeEnabled) ?? false;
  const width = useWidth();
  const [editing, setEditing] = useState(false);
  const name = facts.name ?? (row ? titleOf(row) : null) ?? starting?.prompt.split("\n")[0] ?? (facts.cwd ? baseName(facts.cwd) : "Session");
  const cwd = facts.cwd ?? row?.info.cwd ?? starting?.cwd ?? null;
  const listed = useSessionStatus(sessionId);
  // The open session hears of its own work before the list does.
  const status = listed === "idle" && facts.active ? "running" : listed === "running" && hydration.phase === "live" && !facts.active ? "idle" : listed;
  const replay = hydration.phase === "replay";
  return (
    <header className="session-header">
      {width === "S" && <IconButton icon={ChevronLeft} label="Back to sessions" tip={false} className="-ml-2" onClick={() => navigate(to.home())} />}
      <StatusMark status={replay ? "ended" : status} />
      <div className="min-w-0 flex-1">
        {editing ? (
          <NameField name={name} onDone={() => setEditing(false)} />
        ) : (
          <div className="group/name flex items-center gap-1">
            <h1 className="truncate text-ui font-semibold" title={name}>
              {name}
            </h1>
            {!replay && width !== "S" && <IconButton icon={Pencil} size="sm" label="Rename" className="opacity-0 group-hover/name:opacity-100 focus-visible:opacity-100" onClick={() => setEditing(true)} />}
          </div>
        )}
        <p className="flex min-w-0 items-center gap-1.5 text-meta text-text-3">
          {cwd && (
            <span className="truncate" title={cwd}>
              {baseName(cwd)}
            </span>
          )}
          {(row?.info.runnerName ?? starting?.runnerName) && (
            <>
              <span aria-hidden="true">·</span>
              <span className="truncate">{row?.info.runnerName ?? starting?.runnerName}</span>
            </>
          )}
          {!replay && <PresenceLights />}
        </p>
      </div>
      <GoalPill />
      {planMode && (
        <Badge tone="accent" className="max-m:hidden">
          <Icon icon={MapIcon} size={12} />
          Plan
        </Badge>
      )}
      <Panels small={width === "S"} replay={replay} />
      <SessionMenu onRename={() => setEditing(true)} replay={replay} trigger={<IconButton icon={Ellipsis} label="Session menu" tip={false} />} />
    </header>
  );
});

function NameField({ name, onDone }: { name: string; onDone: () => void }) {
  const { sessionId } = useOpenSession();
  const field = useRef<HTMLInputElement>(null);
  const done = useRef(false);
  useEffect(() => field.current?.select(), []);
  const save = (): void => {
    if (done.current) return;
    done.current = true;
    const next = field.current?.value.trim().slice(0, NAME_LIMIT) ?? "";
    onDone();
    if (next === "" || next === name) return;
    runExec(sessionId, "set_session_name", { name: next }).catch((error: unknown) => toast(`Not renamed. ${messageOf(error)}`, { tone: "fail" }));
  };
  return (
    <input
      ref={field}
      autoFocus
      defaultValue={name}
      maxLength={NAME_LIMIT}
      aria-label="Session name"
      className="w-full max-w-md rounded-[4px] bg-surface px-1 text-ui font-semibold outline-2 outline-accent"
      onBlur={save}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") save();
        if (event.key === "Escape") {
          done.current = true;
          event.stopPropagation();
          onDone();
        }
      }}
    />
  );
}

const PANEL_BUTTONS: readonly { readonly panel: Panel; readonly label: string; readonly icon: typeof FileText; readonly keys: string | undefined }[] = [
  { panel: "changes", label: "Changes", icon: GitCompare, keys: "Mod+Shift+G" },
  { panel: "files", label: "Files", icon: FolderTree, keys: "Mod+Shift+E" },
  { panel: "tasks", label: "Tasks", icon: ListTodo, keys: undefined },
];

function Panels({ small, replay }: { small: boolean; replay: boolean }) {
  const { sessionId } = useOpenSession();
  const route = useRoute();
  const open = route.name === "session" ? route.p : undefined;
  const terminal = route.name === "session" && route.t === "1";
  const toggle = (panel: Panel): void => setSessionParams(sessionId, { p: open === panel ? undefined : panel, f: undefined, l: undefined }, { replace: open !== undefined });
  const toggleTerminal = (): void => setSessionParams(sessionId, { t: terminal ? undefined : "1" }, { replace: terminal });
  useHotkey("Mod+Shift+G", () => toggle("changes"), { inFields: true });
  useHotkey("Mod+Shift+E", () => toggle("files"), { inFields: true });
  useHotkey("Ctrl+Backquote", toggleTerminal, { inFields: true, enabled: !replay });
  if (small) return null;
  return (
    <div className="flex">
      {PANEL_BUTTONS.map(({ panel, label, icon, keys }) => (
        <IconButton key={panel} icon={icon} label={label} keys={keys} aria-pressed={open === panel} onClick={() => toggle(panel)} />
      ))}
      {!replay && <IconButton icon={SquareTerminal} label="Terminal" keys="Ctrl+`" aria-pressed={terminal} onClick={toggleTerminal} />}
    </div>
  );
}
