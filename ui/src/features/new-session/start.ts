import { noteStarting } from "@/data/hub";
import { drafts } from "@/data/drafts";
import { queryClient, recentFoldersQuery } from "@/data/queries";
import { isObject, load, save } from "@/data/storage";
import { api, ApiError, messageOf } from "@/net/api";
import { commandId } from "@/net/viewer";
import type { RunnerInfo } from "@/protocol/wire";

export interface StartRequest {
  runner: RunnerInfo;
  cwd: string;
  prompt: string;
  model: string | undefined;
  agent: string | undefined;
  /** Same for all attempts of one press: one press is one session. */
  key: string;
}

/** What was chosen last on a machine. */
export interface LastChoice {
  cwd?: string;
  model?: string;
}

export function lastChoice(runnerId: string): LastChoice {
  const all = load("last-start", (value) => (isObject(value) ? value : undefined));
  const entry = all?.[runnerId];
  if (!isObject(entry)) return {};
  return { ...(typeof entry["cwd"] === "string" ? { cwd: entry["cwd"] } : {}), ...(typeof entry["model"] === "string" ? { model: entry["model"] } : {}) };
}

function remember(runnerId: string, choice: LastChoice): void {
  save("last-start", { ...load("last-start", (value) => (isObject(value) ? value : undefined)), [runnerId]: choice });
  save("last-runner", runnerId);
}

export function lastRunner(): string | undefined {
  return load("last-runner", (value) => (typeof value === "string" ? value : undefined));
}

/** A refusal in words a person can act on. */
export function startProblem(error: unknown, runner: RunnerInfo): string {
  if (!(error instanceof ApiError)) return messageOf(error);
  if (error.unreachable) return "The relay didn't answer. Nothing was started for certain; check the list before you try again.";
  if (error.code === "runner_offline" || error.status === 502 || error.status === 503) return `${runner.name ?? "The machine"} isn't answering. It may be asleep or off.`;
  if (error.status === 404) return "That machine isn't connected any more.";
  if (/cannot access cwd|outside/i.test(error.message)) return `Sessions may not run in that folder.${runner.roots.length > 0 ? ` Allowed: ${runner.roots.join(", ")}` : ""}`;
  if (/model is not available/i.test(error.message)) return "That model isn't available on this machine.";
  return error.message;
}

/** Spawn. Returns the id of the session, which may still be on its way. */
export async function startSession(request: StartRequest): Promise<string> {
  const [provider, ...rest] = request.model?.split("/") ?? [];
  const id = rest.join("/");
  const answer = await api.post<{ sessionId?: unknown }>(
    "/api/runners/spawn",
    {
      runnerId: request.runner.runnerId,
      cwd: request.cwd,
      ...(request.prompt.trim() ? { prompt: request.prompt } : {}),
      ...(provider && id ? { model: { provider, id } } : {}),
      ...(request.agent ? { agent: { name: request.agent } } : {}),
    },
    { headers: { "idempotency-key": request.key }, timeoutMs: 40_000 },
  );
  if (typeof answer.sessionId !== "string") throw new Error("The machine returned no session.");
  noteStarting({ sessionId: answer.sessionId, runnerId: request.runner.runnerId, runnerName: request.runner.name, cwd: request.cwd, prompt: request.prompt, since: Date.now() });
  remember(request.runner.runnerId, { cwd: request.cwd, ...(request.model ? { model: request.model } : {}) });
  drafts.clear("new");
  void queryClient.invalidateQueries({ queryKey: recentFoldersQuery(request.runner.runnerId).queryKey });
  return answer.sessionId;
}

export { commandId as newStartKey };
