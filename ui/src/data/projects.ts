import { baseName } from "./format";

export interface Project {
  /** Same for all worktrees of a repository, as far as the path shows it. */
  key: string;
  name: string;
  /** Set when the folder is a worktree beside its repository. */
  worktree?: string;
}

/** Where tools put worktrees: `<repo>/.worktrees/<name>`, `<repo>/.claude/worktrees/<name>`, `<repo>-worktrees/<name>`. */
const WORKTREE = /^(.*?)(?:[/\\]\.(?:worktrees|[a-z]+[/\\]worktrees)|[-.]worktrees)[/\\]([^/\\]+)/;

export function projectOf(cwd: string): Project {
  const path = cwd.replace(/[/\\]+$/, "");
  if (path === "") return { key: "", name: "No folder" };
  const match = WORKTREE.exec(path);
  if (match?.[1] && match[2]) return { key: match[1], name: baseName(match[1]), worktree: match[2] };
  return { key: path, name: baseName(path) };
}
