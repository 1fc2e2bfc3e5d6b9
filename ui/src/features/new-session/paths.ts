/** Paths as people type them, POSIX or Windows, without knowing which machine they belong to. */

export function separatorOf(path: string): "/" | "\\" {
  return /^[A-Za-z]:\\|\\/.test(path) && !path.includes("/") ? "\\" : "/";
}

/** "/home/ana/pro" → what to list and what it must start with. */
export function splitTyped(path: string): { folder: string; prefix: string } {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  if (at < 0) return { folder: "", prefix: path };
  const folder = path.slice(0, at);
  return { folder: folder === "" || /^[A-Za-z]:$/.test(folder) ? path.slice(0, at + 1) : folder, prefix: path.slice(at + 1) };
}

export function parentOf(path: string): string | undefined {
  const clean = path.replace(/[/\\]+$/, "");
  const at = Math.max(clean.lastIndexOf("/"), clean.lastIndexOf("\\"));
  if (at < 0 || clean === "") return undefined;
  const parent = clean.slice(0, at);
  return parent === "" || /^[A-Za-z]:$/.test(parent) ? clean.slice(0, at + 1) : parent;
}

export function asFolder(path: string): string {
  return /[/\\]$/.test(path) ? path : path + separatorOf(path);
}

export function trimmed(path: string): string {
  return path.length > 1 && !/^[A-Za-z]:[/\\]$/.test(path) ? path.replace(/[/\\]+$/, "") : path;
}
