import { ArrowUp, Paperclip, Square } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useId, useRef, useState, type ClipboardEvent, type DragEvent, type KeyboardEvent } from "react";
import { useHotkey } from "@/app/hotkeys";
import { answerDecision, runExec } from "@/data/answers";
import { drafts, useDraftsReady, type DraftAttachment } from "@/data/drafts";
import { useDecisions, useMeta, useSession } from "@/data/hub";
import { outbox } from "@/data/outbox";
import { setPref, usePref } from "@/data/prefs";
import { useStore } from "zustand";
import { messageOf } from "@/net/api";
import { connection } from "@/net/connection";
import { Button, Icon, IconButton, Segmented, Tooltip, confirm, cx, toast, useTouch, useWidth } from "@/ui";
import type { OpenDecision } from "@/data/attention";
import { useFacts, useHydration, useOpenSession } from "../context";
import { AttachmentStrip } from "./AttachmentStrip";
import { BUILT_INS } from "./commands";
import { ContextRing } from "./ContextRing";
import { ModelPicker } from "./ModelPicker";
import { askedAt, parseCommand, type Asked } from "./picker";
import { PickerList } from "./PickerList";
import { PlanSwitch } from "./PlanSwitch";
import { ThinkingPicker } from "./ThinkingPicker";
import { PASTE_TEXT_BYTES, useAttachments } from "./useAttachments";
import { useChoices, type Choice } from "./usePicker";
import { useStop } from "./useStop";

const RewindDialog = lazy(() => import("./RewindDialog").then((part) => ({ default: part.RewindDialog })));
const ResumeDialog = lazy(() => import("./ResumeDialog").then((part) => ({ default: part.ResumeDialog })));

/** A second Escape within this time stops the run. */
const ESCAPE_MS = 2_000;

/**
 * The field. Its text lives in the DOM: a keystroke writes a draft and looks for a picker, and redraws nothing else.
 */
export function Composer() {
  const session = useOpenSession();
  const { sessionId, model, onCompose } = session;
  const field = useRef<HTMLTextAreaElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const pickerId = useId();
  const touch = useTouch();
  const width = useWidth();
  const sendKey = usePref("sendKey");
  const mode = usePref("deliverAs");
  const ready = useDraftsReady();
  const hydration = useHydration(model);
  const { phase } = useStore(connection);
  const decision = useDecisions(sessionId).find((entry) => entry.kind === "question" || entry.kind === "plan");
  const planMode = useMeta(sessionId, (meta) => meta.planModeEnabled) ?? false;
  const compacting = useFacts(model, (facts) => facts.compacting);
  const row = useSession(sessionId);
  const { state: stopState, stop, restart } = useStop();
  const running = stopState !== "idle";

  const [empty, setEmpty] = useState(true);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [active, setActive] = useState(0);
  const [models, setModels] = useState(false);
  const [thinking, setThinking] = useState(false);
  const [dialog, setDialog] = useState<{ kind: "resume"; query: string } | { kind: "rewind" } | null>(null);
  const [escape, setEscape] = useState(false);
  const [dropping, setDropping] = useState(false);
  const typedAt = useRef(0);

  const saveDraft = useCallback(
    (attachments: readonly DraftAttachment[]) => {
      const text = field.current?.value ?? "";
      drafts.set(sessionId, { text, attachments, caret: field.current?.selectionStart ?? text.length });
      setEmpty(text.trim() === "" && attachments.length === 0);
    },
    [sessionId],
  );
  const attachments = useAttachments(saveDraft);
  const { choices, note } = useChoices(asked);
  useEffect(() => setActive(0), [asked?.kind, asked?.query]);

  const setText = useCallback((text: string, caret = text.length) => {
    const element = field.current;
    if (!element) return;
    element.value = text;
    element.setSelectionRange(caret, caret);
    element.dispatchEvent(new Event("input", { bubbles: true }));
  }, []);

  // What was left here last time.
  const restored = useRef(false);
  useEffect(() => {
    if (!ready || restored.current) return;
    restored.current = true;
    const draft = drafts.get(sessionId);
    if (!draft || (field.current?.value ?? "") !== "") return;
    if (field.current) {
      field.current.value = draft.text;
      field.current.setSelectionRange(draft.caret ?? draft.text.length, draft.caret ?? draft.text.length);
    }
    attachments.set(draft.attachments);
    setEmpty(draft.text.trim() === "" && draft.attachments.length === 0);
  }, [ready, sessionId, attachments]);

  useEffect(() => {
    if (!touch) field.current?.focus({ preventScroll: true });
  }, [touch, sessionId]);

  useEffect(() => {
    onCompose((text, how) => {
      const element = field.current;
      if (!element) return;
      if (how === "replace" && element.value.trim() === "") setText(text);
      else {
        const at = element.selectionStart;
        const before = element.value.slice(0, at);
        const joint = before === "" || before.endsWith("\n") || !text.startsWith(">") ? "" : "\n";
        setText(before + joint + text + element.value.slice(element.selectionEnd), at + joint.length + text.length);
      }
      element.focus();
    });
    return () => onCompose(null);
  }, [onCompose, setText]);

  const onInput = (): void => {
    typedAt.current = Date.now();
    const element = field.current;
    if (!element) return;
    saveDraft(attachments.list);
    const next = askedAt(element.value, element.selectionStart);
    setAsked((before) => (before?.kind === next?.kind && before?.query === next?.query && before?.from === next?.from ? before : next));
  };

  const clear = (): void => {
    if (field.current) field.current.value = "";
    attachments.set([]);
    setAsked(null);
    setEmpty(true);
    drafts.clear(sessionId);
  };

  const runBuiltIn = async (name: string, rest: string): Promise<boolean> => {
    const command = BUILT_INS.find((entry) => entry.name === name);
    if (!command) return false;
    clear();
    try {
      await command.run(
        {
          sessionId,
          lastText: () => model.lastText(),
          openModels: () => setModels(true),
          openThinking: () => setThinking(true),
          openResume: (query) => setDialog({ kind: "resume", query }),
          openRewind: () => setDialog({ kind: "rewind" }),
          rename: (newName) => void runExec(sessionId, "set_session_name", { name: newName }).catch((error: unknown) => toast(messageOf(error), { tone: "fail" })),
          planMode,
        },
        rest,
      );
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
    return true;
  };

  const submit = async (deliver: "steer" | "followUp"): Promise<void> => {
    const element = field.current;
    if (!element || hydration.phase === "replay") return;
    const text = element.value.trim();
    if (text === "" && attachments.list.length === 0) return;
    const command = attachments.list.length === 0 ? parseCommand(text) : null;
    if (command && (await runBuiltIn(command.name, command.rest))) return;
    if (decision && attachments.list.length === 0) {
      if (await answered(decision, text)) return;
      return;
    }
    const position = model.position;
    outbox.submit({
      sessionId,
      text,
      attachments: attachments.list,
      ...(running ? { deliverAs: deliver } : {}),
      ...(position && position.epoch !== null ? { composedAt: { epoch: position.epoch, seq: position.seq } } : {}),
    });
    clear();
  };

  /** While a question is open the agent takes any text as its answer, so the person decides whether it is meant as one. */
  const answered = async (open: OpenDecision, text: string): Promise<boolean> => {
    const begun = drafts.get(sessionId)?.startedAt ?? Date.now();
    if (open.createdAt > 0 && begun < open.createdAt) {
      const sure = await confirm({ title: "Send this as the answer?", body: `You began writing before the agent asked “${open.title}”.`, action: "Send as answer" });
      if (!sure) return false;
    }
    clear();
    try {
      await answerDecision(
        open,
        open.kind === "plan" ? { kind: "plan", action: "edit", editSuggestion: text } : { kind: "question", answers: [{ question: open.question?.questions[0]?.question ?? open.title, answer: text }] },
      );
      return true;
    } catch (error) {
      setText(text);
      toast(`Not sent. ${messageOf(error)}`, { tone: "fail" });
      return false;
    }
  };

  const choose = (choice: Choice): void => {
    const element = field.current;
    if (!element || !asked) return;
    if (choice.runs && asked.kind === "command") {
      void runBuiltIn(choice.id.replace(/^own:/, ""), "");
      return;
    }
    setText(element.value.slice(0, asked.from) + choice.insert + element.value.slice(asked.to), asked.from + choice.insert.length);
    element.focus();
  };

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    // The keys of a text being composed belong to the input method, also Safari's late one.
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    const open = choices.length > 0;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setActive((active + (event.key === "ArrowDown" ? 1 : choices.length - 1)) % choices.length);
      return;
    }
    if (open && (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey))) {
      const choice = choices[active];
      const exact = event.key === "Enter" && asked?.kind === "command" && choice && choice.insert.trim() === field.current?.value.trim();
      if (choice && !exact) {
        event.preventDefault();
        choose(choice);
        return;
      }
    }
    if (event.key === "Escape") {
      if (asked) {
        event.preventDefault();
        setAsked(null);
      } else if (running) {
        event.preventDefault();
        if (escape) stop();
        else setEscape(true);
      }
      return;
    }
    if (event.key === "Enter" && asked?.kind === "mention" && choices.length === 0 && asked.query !== "") {
      event.preventDefault();
      setAsked(null);
      return;
    }
    if (event.key === "Enter") {
      const mod = event.metaKey || event.ctrlKey;
      const sends = mod || (!touch && sendKey === "enter" && !event.shiftKey && !event.altKey);
      if (!sends || event.repeat) return;
      event.preventDefault();
      void submit(mod ? "steer" : mode);
      return;
    }
    if (event.key === "ArrowUp" && field.current?.value === "") {
      const queue = model.facts().queue;
      const last = queue.at(-1);
      if (last !== undefined) {
        event.preventDefault();
        setText(last);
        void runExec(sessionId, "set_queued_messages", { messages: queue.slice(0, -1) }).catch((error: unknown) => toast(messageOf(error), { tone: "fail" }));
      }
    }
  };

  useEffect(() => {
    if (!escape) return undefined;
    const timer = setTimeout(() => setEscape(false), ESCAPE_MS);
    return () => clearTimeout(timer);
  }, [escape]);
  useEffect(() => {
    if (!running) setEscape(false);
  }, [running]);
  useHotkey("Mod+.", stop, { inFields: true, enabled: running });

  const onPaste = (event: ClipboardEvent): void => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length > 0) {
      event.preventDefault();
      attachments.add(pasted);
      return;
    }
    const text = event.clipboardData.getData("text/plain");
    if (text.length > PASTE_TEXT_BYTES) {
      event.preventDefault();
      attachments.addText(text);
    }
  };
  const onDrop = (event: DragEvent): void => {
    setDropping(false);
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    attachments.add([...event.dataTransfer.files]);
  };

  if (hydration.phase === "replay" || (hydration.phase === "failed" && model.empty)) return null;
  const held = phase === "offline" ? "You're offline. Messages will be sent when you're back." : phase !== "connected" ? "Reconnecting. Your message will wait." : null;
  const placeholder = decision
    ? decision.kind === "plan"
      ? "Suggest a change, or choose above"
      : "Answer the question, or choose above"
    : held ?? (compacting ? "Compacting. Your message will wait." : running ? (mode === "steer" ? "Add a message — delivered at the next step" : "Add a message — delivered when this run ends") : "Message the agent");
  const label = decision ? (decision.kind === "plan" ? "Suggest change" : "Answer") : running ? (mode === "steer" ? "Steer" : "Queue") : held || compacting || hydration.phase !== "live" ? "Queue" : "Send";
  const pickerOpen = asked !== null && (choices.length > 0 || note !== null);

  return (
    <div className="column pb-[max(12px,var(--safe-bottom))]">
      <div
        className={cx("composer", planMode && "composer-plan", dropping && "composer-drop")}
        data-region="composer"
        onDragOver={(event) => {
          if (![...event.dataTransfer.types].includes("Files")) return;
          event.preventDefault();
          setDropping(true);
        }}
        onDragLeave={(event) => {
          if (!event.currentTarget.contains(event.relatedTarget instanceof Node ? event.relatedTarget : null)) setDropping(false);
        }}
        onDrop={onDrop}
      >
        {pickerOpen && <PickerList id={pickerId} choices={choices} note={note} active={active} onActive={setActive} onChoose={choose} />}
        <AttachmentStrip
          list={attachments.list}
          onRemove={attachments.remove}
          onUnfold={(attachment) => {
            attachments.remove(attachment.id);
            void attachment.blob.text().then((text) => setText((field.current?.value ?? "") + text));
          }}
        />
        <textarea
          ref={field}
          data-composer=""
          rows={1}
          className="composer-field"
          placeholder={placeholder}
          aria-label={placeholder}
          aria-controls={pickerOpen ? pickerId : undefined}
          aria-activedescendant={pickerOpen && choices.length > 0 ? `${pickerId}-${active}` : undefined}
          aria-autocomplete="list"
          enterKeyHint={touch ? "enter" : "send"}
          autoComplete="off"
          onInput={onInput}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
          onBlur={() => setAsked(null)}
        />
        <div className="composer-tools">
          <input ref={files} type="file" multiple hidden onChange={(event) => {
            attachments.add([...(event.target.files ?? [])]);
            event.target.value = "";
          }} />
          <IconButton icon={Paperclip} label="Attach files" side="top" onClick={() => files.current?.click()} />
          <ModelPicker open={models} onOpenChange={setModels} />
          <ThinkingPicker open={thinking} onOpenChange={setThinking} />
          <PlanSwitch on={planMode} />
          <span className="flex-1" />
          {escape && <span role="status" className="text-meta text-wait max-m:hidden">Press Escape again to stop</span>}
          {running && !decision && width !== "S" && (
            <Segmented
              size="sm"
              label="When the agent gets it"
              value={mode}
              onChange={(value) => setPref("deliverAs", value)}
              options={[
                { value: "followUp", label: "Queue", title: "Delivered when this run ends" },
                { value: "steer", label: "Steer", title: "Delivered at the next step; the current one is interrupted" },
              ]}
            />
          )}
          <ContextRing />
          {stopState === "stuck" && (
            <Button size="sm" kind="danger" onClick={restart}>
              Restart agent
            </Button>
          )}
          {running && (
            <Tooltip text={stopState === "running" ? "Stop" : "Stopping…"} keys="Esc Esc" side="top">
              <button type="button" className="stop-button" aria-label={stopState === "running" ? "Stop" : "Stopping"} aria-busy={stopState !== "running" || undefined} onClick={stopState === "running" ? stop : undefined}>
                <Square size={12} fill="currentColor" aria-hidden="true" className={stopState === "running" ? undefined : "pulse"} />
                {stopState !== "running" && <span className="text-meta">Stopping…</span>}
              </button>
            </Tooltip>
          )}
          {(!running || !empty) && (
            <Tooltip text={label} keys={sendKey === "enter" ? "Enter" : "Mod+Enter"} side="top">
              <button type="button" className="send-button" aria-label={label} disabled={empty} onPointerDown={(event) => event.preventDefault()} onClick={() => void submit(mode)}>
                <Icon icon={ArrowUp} size={18} strokeWidth={2.25} />
              </button>
            </Tooltip>
          )}
        </div>
        {dropping && <div className="composer-dropnote">Drop to attach</div>}
      </div>
      <Suspense fallback={null}>
        {dialog?.kind === "resume" && <ResumeDialog query={dialog.query} onClose={() => setDialog(null)} />}
        {dialog?.kind === "rewind" && <RewindDialog onClose={() => setDialog(null)} name={row?.info.sessionName ?? null} />}
      </Suspense>
    </div>
  );
}
