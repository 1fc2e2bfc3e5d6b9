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
    case "question": {
      const [first] = answer.answers;
      if (answer.answers.length === 1 && first) return first.answer;
      return JSON.stringify(Object.fromEntries(answer.answers.map(({ answer: text }, index) => [`Q${index + 1}`, text])));
    }
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

/** The answer did not reach the session. */
export class AnswerError extends Error {
  override name = "AnswerError";
}

async function sendText(sessionId: string, text: string, requestId: string): Promise<void> {
  const delivered =
    attachedSession() === sessionId && viewer.connected()
      ? await viewer.call("input", { text, client: "web", requestId, sessionId }, ACK_MS)
      : await withSession(sessionId, (session) => session.input({ text, requestId }));
  if (!delivered) throw new AnswerError("The session did not take the answer.");
}

/** Send `answer`. Resolves when the session has it; rejects with the reason otherwise. */
export async function answerDecision(decision: OpenDecision, answer: Answer): Promise<void> {
  const text = answerText(decision, answer);
  if (text !== undefined) await sendText(decision.sessionId, text, commandId());
  else if (answer.kind === "trust") await runExec(decision.sessionId, "plugin_trust_response", { promptId: decision.id, trusted: answer.trusted });
  touch(decision.sessionId);
}

/** A remote command on any session, open or not. */
export function runExec(sessionId: string, command: string, args: Record<string, unknown> = {}, timeoutMs?: number): Promise<unknown> {
  return attachedSession() === sessionId && viewer.connected()
    ? viewer.exec(sessionId, command, args, timeoutMs)
    : withSession(sessionId, (session) => session.exec(command, args, timeoutMs));
}
