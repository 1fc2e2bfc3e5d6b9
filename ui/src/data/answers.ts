import { hubChannel } from "@/net/manager";
import type { Decision, DecisionOutcome } from "@/protocol/wire";
import { attachedSession, commandId, viewer, withSession } from "@/net/viewer";
import type { OpenDecision } from "./attention";
import { touch } from "./hub";

/**
 * Answers to decisions. An answer is bound to the id of its decision: the caller checks that it is still open before it
 * calls, and the agent drops what does not match. The card disappears when the agent cleared the decision, not here.
 */

const ACK_MS = 10_000;

export type Answer =
  | { kind: "question"; answers: readonly { question: string; answer: string }[] }
  | { kind: "dismiss" }
  | { kind: "plan"; action: "execute_keep_context" | "execute" | "edit" | "cancel"; editSuggestion?: string }
  | { kind: "approval"; action: string; approved: boolean; edits?: Record<string, string> }
  | { kind: "trust"; trusted: boolean };

/** What a skipped question says to the agent. */
const DISMISSED = "I'd rather not answer. Use your best judgement.";

/** The text that carries the answer as an ordinary input, or undefined when it travels as a command. */
export function answerText(decision: OpenDecision, answer: Answer): string | undefined {
  switch (answer.kind) {
    case "question":
      return questionText(answer.answers);
    case "dismiss":
      return DISMISSED;
    case "plan":
      return JSON.stringify({ action: answer.action, ...(answer.editSuggestion === undefined ? {} : { editSuggestion: answer.editSuggestion }) });
    case "approval":
      return JSON.stringify({ promptId: decision.id, action: answer.action, approved: answer.approved, ...(answer.edits && Object.keys(answer.edits).length > 0 ? { edits: answer.edits } : {}) });
    case "trust":
      return undefined;
  }
}

/** One answer is plain text, several are an object with a member per question. */
function questionText(answers: readonly { question: string; answer: string }[]): string {
  const [first] = answers;
  if (answers.length === 1 && first) return first.answer;
  return JSON.stringify(Object.fromEntries(answers.map(({ answer: text }, index) => [`Q${index + 1}`, text])));
}

/** The answer was not taken. With `outcome`: because the decision had ended already. */
export class AnswerError extends Error {
  override name = "AnswerError";
  readonly outcome: DecisionOutcome | undefined;
  constructor(message: string, outcome?: DecisionOutcome) {
    super(message);
    this.outcome = outcome;
  }
}

async function sendText(sessionId: string, text: string, requestId: string): Promise<void> {
  const delivered =
    attachedSession() === sessionId && viewer.connected()
      ? await viewer.call("input", { text, client: "web", requestId, sessionId }, ACK_MS)
      : await withSession(sessionId, (session) => session.input({ text, requestId }));
  if (!delivered) throw new AnswerError("The session did not take the answer.");
}

/** Ids an option may have for "yes" and "no", in order of preference. */
const YES = ["trust", "approve", "allow", "yes"];
const NO = ["deny", "reject", "no", "cancel", "dismiss"];

/** Which option of the durable record `answer` takes. `text` stands for the person's own words. */
export function optionOf(record: Decision, answer: Answer): { option: string; text?: string; edits?: Record<string, string> } {
  const first = (ids: readonly string[]) => ids.find((id) => record.options.some((option) => option.id === id));
  switch (answer.kind) {
    case "question": {
      const [only] = answer.answers;
      const chosen = answer.answers.length === 1 && only ? record.options.find((option) => option.label === only.answer) : undefined;
      return chosen ? { option: chosen.id, text: chosen.label } : { option: "text", text: questionText(answer.answers) };
    }
    case "dismiss": {
      const option = first(["dismiss", "skip", "cancel"]);
      return option ? { option } : { option: "text", text: DISMISSED };
    }
    case "plan":
      return { option: answer.action, ...(answer.editSuggestion === undefined ? {} : { text: answer.editSuggestion }) };
    case "approval":
      return { option: answer.action, ...(answer.edits && Object.keys(answer.edits).length > 0 ? { edits: answer.edits } : {}) };
    case "trust":
      return { option: first(answer.trusted ? YES : NO) ?? (answer.trusted ? "approve" : "reject") };
  }
}

/**
 * Send `answer`. Resolves when the relay or the session has it; rejects with the reason otherwise. When somebody else was
 * faster, the rejection says so and carries the outcome.
 */
export async function answerDecision(decision: OpenDecision, answer: Answer): Promise<void> {
  if (decision.record && (await answeredByRecord(decision, decision.record, answer))) return;
  const text = answerText(decision, answer);
  if (text !== undefined) await sendText(decision.sessionId, text, commandId());
  else if (answer.kind === "trust") await runExec(decision.sessionId, "plugin_trust_response", { promptId: decision.id, trusted: answer.trusted });
  touch(decision.sessionId);
}

/** False: the relay keeps no such record, so the answer has to go the old way. */
async function answeredByRecord(decision: OpenDecision, record: Decision, answer: Answer): Promise<boolean> {
  const reply = await hubChannel.call("answer_decision", { decisionId: record.decisionId, sessionId: record.sessionId, commandId: commandId(), ...optionOf(record, answer) }, ACK_MS);
  if (reply.ok) {
    touch(decision.sessionId);
    return true;
  }
  if (reply.outcome) throw new AnswerError(outcomeWords(reply.outcome), reply.outcome);
  if (reply.code === "no_such_decision") return false;
  throw new AnswerError(reply.error ?? "The answer was not taken.");
}

/** Who decided, in one line. */
export function outcomeWords(outcome: DecisionOutcome): string {
  switch (outcome.outcome) {
    case "answered":
      return `Answered${outcome.device ? ` on ${outcome.device}` : ""}${outcome.byName ? ` by ${outcome.byName}` : ""}`;
    case "expired":
      return "Nobody answered in time";
    case "superseded":
      return "Replaced by a newer question";
    case "withdrawn":
      return "No longer needed";
  }
}

/** A remote command on any session, open or not. */
export function runExec(sessionId: string, command: string, args: Record<string, unknown> = {}, timeoutMs?: number): Promise<unknown> {
  return attachedSession() === sessionId && viewer.connected()
    ? viewer.exec(sessionId, command, args, timeoutMs)
    : withSession(sessionId, (session) => session.exec(command, args, timeoutMs));
}
