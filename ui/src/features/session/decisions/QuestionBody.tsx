import { ArrowDown, ArrowUp } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import type { OpenDecision } from "@/data/attention";
import { Button, IconButton, Input, cx } from "@/ui";
import { isField } from "@/app/hotkeys";
import { answerDraft, keepAnswerDraft } from "./answerDrafts";
import type { Answering } from "./useAnswer";

type Question = NonNullable<OpenDecision["question"]>["questions"][number];

interface Reply {
  /** Chosen options; for ranked ones in order. */
  readonly chosen: readonly string[];
  readonly own: string;
  readonly ownOn: boolean;
}

const EMPTY: Reply = { chosen: [], own: "", ownOn: false };

function isReplies(value: unknown): value is Reply[] {
  return Array.isArray(value);
}

function textOf(question: Question, reply: Reply): string {
  const own = reply.ownOn ? reply.own.trim() : "";
  if (question.type === "ranked") return reply.chosen.map((option, index) => `${index + 1}. ${option}`).join("\n");
  return [...reply.chosen, ...(own === "" ? [] : [own])].join(", ");
}

/** One question after the other; several end in an overview of the answers. */
export function QuestionBody({ decision, answering }: { decision: OpenDecision; answering: Answering }) {
  const questions = decision.question?.questions ?? [];
  const [replies, setReplies] = useState<readonly Reply[]>(() => answerDraft(decision.id, isReplies) ?? questions.map((question) => (question.type === "ranked" ? { ...EMPTY, chosen: question.options } : EMPTY)));
  const [step, setStep] = useState(0);
  useEffect(() => keepAnswerDraft(decision.id, replies), [decision.id, replies]);
  const question = questions[step];
  const reply = replies[step] ?? EMPTY;
  const complete = question !== undefined && textOf(question, reply) !== "";
  const last = step === questions.length - 1;
  const set = (next: Reply): void => setReplies(replies.map((entry, index) => (index === step ? next : entry)));
  const submit = (final: readonly Reply[] = replies): void =>
    answering.send({ kind: "question", answers: questions.map((entry, index) => ({ question: entry.question, answer: textOf(entry, final[index] ?? EMPTY) })) });

  if (!question) return null;
  /** A single choice needs no second press. */
  const pick = (option: string): void => {
    if (question.type === "checkbox") {
      set({ ...reply, chosen: reply.chosen.includes(option) ? reply.chosen.filter((entry) => entry !== option) : question.options.filter((entry) => entry === option || reply.chosen.includes(entry)) });
      return;
    }
    set({ ...reply, chosen: [option], ownOn: false });
  };
  return (
    <div className="flex flex-col gap-3">
      {questions.length > 1 && (
        <div className="flex items-center gap-2 text-meta text-text-3">
          <span className="tnum">
            {step + 1} of {questions.length}
          </span>
          <span className="flex gap-1" aria-hidden="true">
            {questions.map((_, index) => (
              <span key={index} className={cx("h-1 w-5 rounded-full", index <= step ? "bg-wait" : "bg-press")} />
            ))}
          </span>
        </div>
      )}
      <p className="text-body font-medium whitespace-pre-wrap text-text">{question.question}</p>
      {question.type === "ranked" ? <Ranked reply={reply} onChange={set} disabled={answering.busy} /> : <Options question={question} reply={reply} disabled={answering.busy} onPick={pick} onChange={set} onSubmit={() => complete && (last ? submit() : setStep(step + 1))} />}
      <div className="decision-actions">
        <Button kind="quiet" disabled={answering.busy} onClick={() => answering.send({ kind: "dismiss" })}>
          Skip
        </Button>
        <span className="flex-1 max-m:hidden" />
        {step > 0 && (
          <Button disabled={answering.busy} onClick={() => setStep(step - 1)}>
            Back
          </Button>
        )}
        <Button kind="ink" busy={answering.busy} disabled={!complete} onClick={() => (last ? submit() : setStep(step + 1))}>
          {last ? (questions.length > 1 ? "Send answers" : "Answer") : "Next"}
        </Button>
      </div>
    </div>
  );
}

function Options({ question, reply, disabled, onPick, onChange, onSubmit }: {
  question: Question;
  reply: Reply;
  disabled: boolean;
  onPick: (option: string) => void;
  onChange: (reply: Reply) => void;
  onSubmit: () => void;
}) {
  const many = question.type === "checkbox";
  const group = useRef<HTMLDivElement>(null);
  // Digits choose while nobody is typing somewhere.
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      if (disabled || event.defaultPrevented || event.isComposing || event.metaKey || event.ctrlKey || event.altKey || isField(event.target)) return;
      const option = /^[1-9]$/.test(event.key) ? question.options[Number(event.key) - 1] : undefined;
      if (option !== undefined && group.current?.offsetParent) {
        event.preventDefault();
        onPick(option);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
  const roving = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : event.key === "ArrowUp" || event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const all = [...(group.current?.querySelectorAll<HTMLElement>("[role=radio],[role=checkbox]") ?? [])];
    const at = all.findIndex((entry) => entry === document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <div ref={group} role={many ? "group" : "radiogroup"} aria-label={question.question} className="flex flex-col gap-1" onKeyDown={roving}>
      {question.options.map((option, index) => {
        const chosen = reply.chosen.includes(option);
        return (
          <button
            key={option}
            type="button"
            role={many ? "checkbox" : "radio"}
            aria-checked={chosen}
            disabled={disabled}
            className="option"
            onClick={() => onPick(option)}
            onDoubleClick={many ? undefined : onSubmit}
          >
            <span className={cx("option-mark", many && "option-square")} aria-hidden="true" />
            <span className="min-w-0 flex-1">{option}</span>
            {index < 9 && <kbd className="option-key max-m:hidden">{index + 1}</kbd>}
          </button>
        );
      })}
      <div className="option option-own" data-on={reply.ownOn || undefined}>
        <button
          type="button"
          role={many ? "checkbox" : "radio"}
          aria-checked={reply.ownOn}
          aria-label="Something else"
          disabled={disabled}
          className={cx("option-mark", many && "option-square")}
          onClick={() => onChange({ ...reply, ownOn: !reply.ownOn, chosen: many ? reply.chosen : [] })}
        />
        <Input
          value={reply.own}
          disabled={disabled}
          placeholder="Something else"
          aria-label="Something else"
          className="border-0! bg-transparent! px-0! outline-none"
          onChange={(event) => onChange({ ...reply, own: event.target.value, ownOn: event.target.value.trim() !== "", chosen: many || event.target.value.trim() === "" ? reply.chosen : [] })}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.nativeEvent.isComposing && event.keyCode !== 229) onSubmit();
          }}
        />
      </div>
    </div>
  );
}

function Ranked({ reply, onChange, disabled }: { reply: Reply; onChange: (reply: Reply) => void; disabled: boolean }) {
  const drag = useRef<number | null>(null);
  const move = (from: number, to: number): void => {
    if (to < 0 || to >= reply.chosen.length || from === to) return;
    const next = [...reply.chosen];
    const [taken] = next.splice(from, 1);
    if (taken !== undefined) next.splice(to, 0, taken);
    onChange({ ...reply, chosen: next });
  };
  return (
    <ol className="flex flex-col gap-1">
      {reply.chosen.map((option, index) => (
        <li
          key={option}
          className="option"
          draggable={!disabled}
          onDragStart={() => (drag.current = index)}
          onDragOver={(event) => event.preventDefault()}
          onDrop={() => {
            if (drag.current !== null) move(drag.current, index);
            drag.current = null;
          }}
        >
          <span className="w-5 text-right tnum text-text-3">{index + 1}</span>
          <span className="min-w-0 flex-1">{option}</span>
          <IconButton icon={ArrowUp} size="sm" label={`Move “${option}” up`} tip={false} disabled={disabled || index === 0} onClick={() => move(index, index - 1)} />
          <IconButton icon={ArrowDown} size="sm" label={`Move “${option}” down`} tip={false} disabled={disabled || index === reply.chosen.length - 1} onClick={() => move(index, index + 1)} />
        </li>
      ))}
    </ol>
  );
}

