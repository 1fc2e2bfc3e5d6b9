import { viewer } from "@/net/viewer";
import { flag, list, number, object, text, words, type JsonObject } from "@/transcript/json";

/** Longest wait for a read and for a change, ms. */
const READ_MS = 15_000;
const CHANGE_MS = 60_000;

export interface FileChange {
  readonly path: string;
  readonly originalPath: string | null;
  /** Letter in the index; `" "` when nothing is staged. */
  readonly index: string;
  /** Letter in the working tree. */
  readonly tree: string;
}

export interface GitStatus {
  readonly branch: string | null;
  readonly root: string | null;
  readonly changes: readonly FileChange[];
  readonly ahead: number;
  readonly behind: number;
  readonly hasUpstream: boolean;
}

/** Why a request was refused, by the machine's own word for it. */
export class GitError extends Error {
  override name = "GitError";
  readonly reason: string | null;
  constructor(message: string, reason: string | null) {
    super(message);
    this.reason = reason;
  }
}

async function ask(sessionId: string, type: string, payload: JsonObject, timeoutMs = READ_MS): Promise<JsonObject> {
  const answer = object(await viewer.service({ serviceId: "git", type, sessionId, payload }, timeoutMs));
  if (!answer) throw new GitError("The machine's answer could not be read.", null);
  if (flag(answer["ok"]) === false) throw new GitError(words(answer["message"]) ?? words(answer["error"]) ?? "git refused.", words(answer["reason"]));
  return answer;
}

export function parseStatus(raw: JsonObject): GitStatus {
  return {
    branch: words(raw["branch"]),
    root: words(raw["repoRoot"]),
    ahead: number(raw["ahead"]) ?? 0,
    behind: number(raw["behind"]) ?? 0,
    hasUpstream: flag(raw["hasUpstream"]) ?? false,
    changes: list(raw["changes"]).flatMap((entry): FileChange[] => {
      const change = object(entry);
      const path = change && words(change["path"]);
      const status = change && text(change["status"]);
      if (!change || !path || !status) return [];
      return [{ path, originalPath: words(change["originalPath"]), index: status[0] ?? " ", tree: status[1] ?? " " }];
    }),
  };
}

export const isUntracked = (change: FileChange): boolean => change.index === "?" || change.tree === "?";
export const isStaged = (change: FileChange): boolean => !isUntracked(change) && change.index !== " ";
export const isChanged = (change: FileChange): boolean => !isUntracked(change) && change.tree !== " ";
export const isConflict = (change: FileChange): boolean => change.index === "U" || change.tree === "U" || (change.index === "A" && change.tree === "A") || (change.index === "D" && change.tree === "D");

/** The session's repository, through its machine. */
export function git(sessionId: string, cwd: string) {
  return {
    status: async (): Promise<GitStatus> => parseStatus(await ask(sessionId, "git_status", { cwd })),
    diff: async (path: string, staged: boolean): Promise<string> => text((await ask(sessionId, "git_diff", { cwd, path, staged }))["diff"]) ?? "",
    stage: (paths: readonly string[]) => ask(sessionId, "git_stage", { cwd, paths }, CHANGE_MS),
    unstage: (paths: readonly string[]) => ask(sessionId, "git_unstage", { cwd, paths }, CHANGE_MS),
    discard: (paths: readonly string[]) => ask(sessionId, "git_discard", { cwd, paths }, CHANGE_MS),
    commit: (message: string) => ask(sessionId, "git_commit", { cwd, message }, CHANGE_MS),
    suggest: async (): Promise<string> => {
      const raw = await ask(sessionId, "git_commit_message_suggest", { cwd }, 35_000);
      const body = words(raw["body"]);
      return `${words(raw["subject"]) ?? ""}${body ? `\n\n${body}` : ""}`;
    },
    push: (setUpstream: boolean) => ask(sessionId, "git_push", { cwd, setUpstream }, CHANGE_MS),
    pull: () => ask(sessionId, "git_pull", { cwd }, CHANGE_MS),
    branches: async (): Promise<readonly Branch[]> =>
      list((await ask(sessionId, "git_branches", { cwd }))["branches"]).flatMap((entry): Branch[] => {
        const raw = object(entry);
        const name = raw && words(raw["name"]);
        return raw && name ? [{ name, isCurrent: flag(raw["isCurrent"]) ?? false, isRemote: flag(raw["isRemote"]) ?? false }] : [];
      }),
    checkout: (branch: string, isRemote: boolean) => ask(sessionId, "git_checkout", { cwd, branch, isRemote }, CHANGE_MS),
  };
}

export interface Branch {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly isRemote: boolean;
}

/** What `git` says, in words of ours where we know better ones. */
export function gitWords(error: unknown): string {
  if (error instanceof GitError) {
    if (/not a git repository/i.test(error.message)) return "This folder isn't a git repository.";
    switch (error.reason) {
      case "busy":
        return "The repository is busy. Try again in a moment.";
      case "missingUpstream":
        return "This branch has no upstream yet. Push it first.";
      case "conflict":
        return "There are conflicts to resolve.";
      case "nonFastForward":
        return "The remote has commits that are not here. Pull first.";
      case "detachedHead":
        return "No branch is checked out.";
      default:
        return error.message;
    }
  }
  return error instanceof Error ? error.message : "git did not answer.";
}
