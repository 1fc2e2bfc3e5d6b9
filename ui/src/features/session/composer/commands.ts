import { navigate, setSessionParams, to } from "@/app/routes";
import { runExec } from "@/data/answers";
import { copyText, toast } from "@/ui";
import { object, text } from "@/transcript/json";

export interface BuiltIn {
  readonly name: string;
  readonly description: string;
  readonly hint: string | null;
  readonly run: (session: CommandContext, rest: string) => Promise<void> | void;
}

export interface CommandContext {
  readonly sessionId: string;
  readonly lastText: () => string | null;
  readonly openModels: () => void;
  readonly openThinking: () => void;
  readonly openResume: (query: string) => void;
  readonly openRewind: () => void;
  readonly rename: (name: string) => void;
  readonly planMode: boolean;
}

/** Long work has its own limit: nobody waits for it in front of the field. */
const LONG_MS = 10 * 60_000;

export const BUILT_INS: readonly BuiltIn[] = [
  { name: "new", description: "Start a new conversation in this session", hint: null, run: async ({ sessionId }) => void (await runExec(sessionId, "new_session")) },
  { name: "resume", description: "Continue an earlier conversation", hint: "words", run: ({ openResume }, rest) => openResume(rest) },
  { name: "name", description: "Rename this session", hint: "name", run: ({ rename }, rest) => rename(rest) },
  { name: "model", description: "Choose the model", hint: null, run: ({ openModels }) => openModels() },
  { name: "effort", description: "How long the model thinks", hint: null, run: ({ openThinking }) => openThinking() },
  {
    name: "plan",
    description: "Plan mode: the agent reads but changes nothing",
    hint: null,
    run: async ({ sessionId, planMode }) => void (await runExec(sessionId, "set_plan_mode", { enabled: !planMode })),
  },
  {
    name: "compact",
    description: "Replace the conversation by a summary in the agent's memory",
    hint: "what to keep",
    run: async ({ sessionId }, rest) => void (await runExec(sessionId, "compact", rest === "" ? {} : { customInstructions: rest }, LONG_MS)),
  },
  {
    name: "copy",
    description: "Copy the last answer",
    hint: null,
    run: async ({ sessionId, lastText }) => {
      const answer = lastText() ?? text(object(await runExec(sessionId, "get_last_assistant_text"))?.["text"]);
      toast(answer !== null && (await copyText(answer)) ? "Copied" : "There is nothing to copy yet", { tone: answer === null ? "plain" : "done" });
    },
  },
  { name: "rewind", description: "Go back to one of your messages", hint: null, run: ({ openRewind }) => openRewind() },
  {
    name: "background",
    description: "Let the running command go on in the background",
    hint: null,
    run: async ({ sessionId }) => void (await runExec(sessionId, "background_bash")),
  },
  { name: "stop", description: "Stop the current run", hint: null, run: async ({ sessionId }) => void (await runExec(sessionId, "abort")) },
  { name: "restart", description: "Restart the agent's process", hint: null, run: async ({ sessionId }) => void (await runExec(sessionId, "restart")) },
  { name: "files", description: "Browse the session's folder", hint: null, run: ({ sessionId }) => setSessionParams(sessionId, { p: "files" }) },
  { name: "changes", description: "Show what changed", hint: null, run: ({ sessionId }) => setSessionParams(sessionId, { p: "changes" }) },
  { name: "terminal", description: "Open a terminal", hint: null, run: ({ sessionId }) => setSessionParams(sessionId, { t: "1" }) },
  { name: "history", description: "Find an earlier session", hint: null, run: () => navigate(to.history()) },
  {
    name: "remote",
    description: "Not available here",
    hint: null,
    run: () => void toast("This would cut the connection you are using. Run it in the terminal on that machine."),
  },
];
