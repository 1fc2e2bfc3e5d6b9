import { useQuery } from "@tanstack/react-query";
import { ArrowUp, Bot, ChevronDown, Laptop } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { APPLE } from "@/app/hotkeys";
import { navigate, to } from "@/app/routes";
import { drafts, useDraftsReady } from "@/data/drafts";
import { hub, type SessionRow } from "@/data/hub";
import { usePref } from "@/data/prefs";
import { modelsQuery, recentFoldersQuery } from "@/data/queries";
import { runnerName, useRunners, type RunnerRow } from "@/data/runners";
import type { RunnerInfo } from "@/protocol/wire";
import { Icon } from "@/ui/Icon";
import { Menu, MenuRadio } from "@/ui/Menu";
import { Spinner } from "@/ui/Spinner";
import { cx } from "@/ui/cx";
import { useTouch } from "@/ui/media";
import { FolderPicker } from "./FolderPicker";
import { ModelSelect, modelKey } from "./ModelSelect";
import { lastChoice, lastRunner, newStartKey, startProblem, startSession } from "./start";

const CHIP = "flex h-8 max-w-full min-w-0 items-center gap-1.5 rounded-ctl px-2 text-code font-medium text-text-2 hover:bg-hover hover:text-text data-[state=open]:bg-press pointer-coarse:h-11";
/** Lines the field may grow to, px. */
const TALLEST = 320;

export interface Prefill {
  runner?: string | undefined;
  cwd?: string | undefined;
  prompt?: string | undefined;
}

/** One form, no steps: say what, where and with what, then go. */
export function NewSession({ prefill, focus, below }: { prefill: Prefill; focus: boolean; below?: (runner: RunnerInfo, model: string | undefined, onModel: (key: string | undefined) => void) => ReactNode }) {
  const { list } = useRunners();
  const online = list.filter((machine) => machine.online);
  const [runnerId, setRunnerId] = useState<string | undefined>(prefill.runner);
  const runner = online.find((machine) => machine.id === (runnerId ?? lastRunner() ?? busiest())) ?? online[0];
  if (!runner) return null;
  return <Form key={runner.id} runner={runner} machines={online} onRunner={setRunnerId} prefill={prefill} focus={focus} below={below} />;
}

/** The machine of the session that was touched last, for the very first start from this browser. */
function busiest(): string | undefined {
  let newest: SessionRow | undefined;
  for (const row of hub.getState().sessions.values()) if (row.info.runnerId && row.touchedAt > (newest?.touchedAt ?? 0)) newest = row;
  return newest?.info.runnerId ?? undefined;
}

function Form({ runner, machines, onRunner, prefill, focus, below }: {
  runner: RunnerRow;
  machines: readonly RunnerRow[];
  onRunner: (id: string) => void;
  prefill: Prefill;
  focus: boolean;
  below: ((runner: RunnerInfo, model: string | undefined, onModel: (key: string | undefined) => void) => ReactNode) | undefined;
}) {
  const last = lastChoice(runner.id);
  const recent = useQuery(recentFoldersQuery(runner.id));
  const models = useQuery(modelsQuery(runner.id));
  const [chosenFolder, setFolder] = useState<string | undefined>(prefill.cwd ?? last.cwd);
  const folder = chosenFolder ?? recent.data?.[0] ?? (runner.info.roots.length === 1 ? runner.info.roots[0] : undefined) ?? "";
  const [chosenModel, setModel] = useState(last.model);
  // A choice of earlier that the machine no longer has is not a choice; the demo stands in only while there is nothing else.
  const model = chosenModel && models.data && models.data.length > 0 && !models.data.some((known) => modelKey(known) === chosenModel) ? undefined : chosenModel;
  const [agent, setAgent] = useState<string | undefined>();
  const [text, setText] = useState(prefill.prompt ?? "");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const field = useRef<HTMLTextAreaElement>(null);
  const key = useRef<string | undefined>(undefined);
  const ready = useDraftsReady();
  const touch = useTouch();
  const sendKey = usePref("sendKey");

  useEffect(() => {
    if (!ready || prefill.prompt) return;
    const draft = drafts.get("new");
    if (draft) setText((now) => now || draft.text);
  }, [ready, prefill.prompt]);
  useEffect(() => {
    if (focus && !touch) field.current?.focus();
  }, [focus, touch]);
  useEffect(() => {
    const box = field.current;
    if (!box) return;
    box.style.height = "auto";
    box.style.height = `${Math.min(TALLEST, box.scrollHeight)}px`;
  }, [text]);

  const choose = (key: string | undefined) => {
    setModel(key);
    setProblem(undefined);
  };
  const submit = async () => {
    if (busy) return;
    if (!folder) return setProblem("Choose the folder the agent should work in.");
    if (model === undefined && models.data?.length === 0) return setProblem("This machine has no model yet. Choose one of the ways below.");
    setProblem(undefined);
    setBusy(true);
    key.current ??= newStartKey();
    try {
      const sessionId = await startSession({ runner: runner.info, cwd: folder, prompt: text, model, agent, key: key.current });
      navigate(to.session(sessionId));
    } catch (error) {
      setProblem(startProblem(error, runner.info));
      setBusy(false);
    }
    key.current = undefined;
    return undefined;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.nativeEvent.isComposing || event.keyCode === 229) return;
    const mod = APPLE ? event.metaKey : event.ctrlKey;
    if (mod || (!event.shiftKey && !touch && sendKey === "enter")) {
      event.preventDefault();
      if (!event.repeat) void submit();
    }
  };
  const agents = runner.info.agents;

  return (
    <>
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
      className="flex flex-col"
    >
      <div className="rounded-card border border-line-strong/60 bg-surface shadow-1 transition-colors focus-within:border-accent focus-within:outline-2 focus-within:outline-accent/25">
        <textarea
          ref={field}
          data-composer=""
          aria-label="What should the agent do?"
          placeholder="Describe a task, ask about the code, or leave this empty and start talking"
          rows={3}
          value={text}
          disabled={busy}
          onChange={(event) => {
            setText(event.target.value);
            setProblem(undefined);
            drafts.set("new", { text: event.target.value, attachments: [] });
          }}
          onKeyDown={onKeyDown}
          className="block min-h-24 w-full resize-none bg-transparent px-4 pt-3.5 pb-1 text-body text-text outline-none disabled:opacity-60"
        />
        <div className="flex items-end gap-1 p-2">
          <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-0.5">
            <FolderPicker
              runner={runner.info}
              value={folder}
              onChange={(path) => {
                setFolder(path);
                setProblem(undefined);
              }}
            />
            {machines.length > 1 && (
              <Menu
                align="start"
                trigger={
                  <button type="button" className={CHIP}>
                    <Icon icon={Laptop} />
                    <span className="truncate">{runnerName(runner.info)}</span>
                    <Icon icon={ChevronDown} size={12} />
                  </button>
                }
              >
                <MenuRadio value={runner.id} onChange={onRunner} options={machines.map((machine) => ({ value: machine.id, label: runnerName(machine.info) }))} />
              </Menu>
            )}
            <ModelSelect runnerId={runner.id} value={model} onChange={choose} />
            {agents.length > 0 && (
              <Menu
                align="start"
                trigger={
                  <button type="button" className={CHIP}>
                    <Icon icon={Bot} />
                    <span className="truncate">{agent ?? "Agent"}</span>
                    <Icon icon={ChevronDown} size={12} />
                  </button>
                }
              >
                <MenuRadio value={agent ?? ""} onChange={(value) => setAgent(value || undefined)} options={[{ value: "", label: "Standard" }, ...agents.map(({ name }) => ({ value: name, label: name }))]} />
              </Menu>
            )}
          </div>
          <button
            type="submit"
            aria-label={text.trim() ? "Start" : "Start an empty session"}
            aria-busy={busy || undefined}
            className={cx("flex size-8 shrink-0 items-center justify-center rounded-ctl bg-ink text-on-ink hover:bg-ink-hover pointer-coarse:size-11", !folder && "opacity-45")}
          >
            {busy ? <Spinner size={14} /> : <Icon icon={ArrowUp} />}
          </button>
        </div>
      </div>
      <div role="alert" className="min-h-6 px-1 pt-2 text-ui text-fail empty:hidden">
        {problem}
      </div>
    </form>
    {below?.(runner.info, model, choose)}
    </>
  );
}
