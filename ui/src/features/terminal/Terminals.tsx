import { Plus, SquareTerminal, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { Button, EmptyState, Icon, IconButton, Spinner, confirm, cx } from "@/ui";
import { terminals, useTerminals, type Place, type TerminalTab } from "./store";

const Screen = lazy(() => import("./Screen"));

/** The terminals of one place: tabs, and the one that is shown. The others go on in the background. */
export function Terminals({ place, trailing, autoStart = true }: { place: Place; trailing?: ReactNode; autoStart?: boolean }) {
  const owner = useTerminals(place.key);
  const started = useRef(false);
  useEffect(() => {
    if (started.current) return;
    started.current = true;
    void terminals.restore(place).then(() => {
      if (autoStart && terminals.count(place.key) === 0) void terminals.open(place);
    });
  }, [place, autoStart]);
  const close = async (tab: TerminalTab, ask: boolean): Promise<void> => {
    if (ask && !(await confirm({ title: `Close “${tab.title}”?`, body: "What runs in it is ended.", action: "Close", danger: true }))) return;
    const { closeEmulator } = await import("./emulator");
    closeEmulator(tab.id, true);
    terminals.drop(place.key, tab.id);
  };
  const active = owner.tabs.find((tab) => tab.id === owner.active) ?? owner.tabs[0];
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-sunken">
      <div className="flex h-9 shrink-0 items-center gap-0.5 border-b border-line pr-1 pl-2 pointer-coarse:h-12">
        <div role="group" aria-label="Terminals" className="flex min-w-0 gap-0.5 overflow-x-auto [scrollbar-width:none]">
          {owner.tabs.map((tab) => (
            <Tab key={tab.id} tab={tab} active={tab.id === active?.id} onSelect={() => terminals.select(place.key, tab.id)} onRename={(title) => terminals.rename(place.key, tab.id, title)} onClose={() => void close(tab, true)} />
          ))}
        </div>
        <IconButton icon={Plus} size="sm" label="New terminal" busy={owner.starting} onClick={() => void terminals.open(place)} />
        <span className="flex-1" />
        {trailing}
      </div>
      {owner.failure && (
        <p role="alert" className="flex items-center gap-3 bg-fail-tint px-3 py-2 text-code text-text">
          <span className="min-w-0 flex-1">No terminal. {owner.failure}</span>
          <Button size="sm" onClick={() => void terminals.open(place)}>
            Try again
          </Button>
        </p>
      )}
      {active ? (
        <Suspense
          fallback={
            <div className="flex flex-1 items-center justify-center">
              <Spinner size={16} />
            </div>
          }
        >
          <Screen
            key={active.id}
            id={active.id}
            onClose={() => void close(active, false)}
            onRestart={() => {
              void close(active, false).then(() => terminals.open(place));
            }}
          />
        </Suspense>
      ) : (
        !owner.failure && (
          <EmptyState
            icon={SquareTerminal}
            title={owner.starting ? "Starting a terminal" : "No terminal is open"}
            action={
              <Button busy={owner.starting} onClick={() => void terminals.open(place)}>
                New terminal
              </Button>
            }
          />
        )
      )}
    </div>
  );
}

function Tab({ tab, active, onSelect, onRename, onClose }: { tab: TerminalTab; active: boolean; onSelect: () => void; onRename: (title: string) => void; onClose: () => void }) {
  const [editing, setEditing] = useState(false);
  return (
    <div className={cx("group/tab flex h-7 shrink-0 items-center rounded-ctl text-code pointer-coarse:h-11", active ? "bg-press text-text" : "text-text-2 hover:bg-hover")}>
      {editing ? (
        <input
          autoFocus
          defaultValue={tab.title}
          maxLength={40}
          aria-label="Name of the terminal"
          className="mx-1 w-28 rounded-[4px] bg-surface px-1.5 outline-2 outline-accent"
          onBlur={(event) => {
            if (event.target.value.trim() !== "") onRename(event.target.value.trim());
            setEditing(false);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
            if (event.key === "Escape") setEditing(false);
          }}
        />
      ) : (
        <button type="button" aria-pressed={active} className="flex h-full items-center gap-1.5 pr-1 pl-2" onClick={onSelect} onDoubleClick={() => setEditing(true)}>
          <Icon icon={SquareTerminal} size={14} className="text-text-3" />
          {tab.title}
        </button>
      )}
      <button type="button" aria-label={`Close ${tab.title}`} className="mr-0.5 flex size-6 items-center justify-center rounded-[4px] text-text-3 hover:bg-press hover:text-text pointer-coarse:size-9" onClick={onClose}>
        <Icon icon={X} size={12} />
      </button>
    </div>
  );
}
