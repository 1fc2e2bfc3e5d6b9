/** Diffs as lines with word marks, from texts or from unified patches. */

import { diffLines, diffWordsWithSpace } from "diff";

export interface Piece {
  readonly text: string;
  readonly changed: boolean;
}

export interface DiffLine {
  readonly kind: "context" | "add" | "del";
  readonly oldNumber: number | null;
  readonly newNumber: number | null;
  readonly pieces: readonly Piece[];
}

export interface Hunk {
  readonly header: string | null;
  readonly lines: readonly DiffLine[];
  /** Unchanged lines left out above this hunk; `null` when unknown. */
  readonly skipped: number | null;
}

export interface Diff {
  readonly hunks: readonly Hunk[];
  readonly added: number;
  readonly removed: number;
}

const CONTEXT = 3;
/** Word marks cost; longer lines are shown as changed wholly. */
const MAX_WORD_DIFF = 400;

export function diffTexts(before: string, after: string, firstLine = 1): Diff {
  const lines: DiffLine[] = [];
  let oldNumber = firstLine;
  let newNumber = firstLine;
  for (const part of diffLines(before, after)) {
    const texts = part.value.replace(/\n$/, "").split("\n");
    for (const value of texts) {
      const pieces = [{ text: value, changed: false }];
      if (part.added) lines.push({ kind: "add", oldNumber: null, newNumber: newNumber++, pieces });
      else if (part.removed) lines.push({ kind: "del", oldNumber: oldNumber++, newNumber: null, pieces });
      else lines.push({ kind: "context", oldNumber: oldNumber++, newNumber: newNumber++, pieces });
    }
  }
  return finish(cut(markWords(lines)));
}

/** All of `content` as added lines. */
export function addedText(content: string): Diff {
  const lines = content.replace(/\n$/, "").split("\n");
  return finish([
    { header: null, skipped: null, lines: lines.map((value, index) => ({ kind: "add", oldNumber: null, newNumber: index + 1, pieces: [{ text: value, changed: false }] })) },
  ]);
}

function finish(hunks: readonly Hunk[]): Diff {
  let added = 0;
  let removed = 0;
  for (const hunk of hunks) {
    for (const line of hunk.lines) {
      if (line.kind === "add") added += 1;
      else if (line.kind === "del") removed += 1;
    }
  }
  return { hunks, added, removed };
}

/** Keep a few lines around changes. */
function cut(lines: readonly DiffLine[]): Hunk[] {
  const keep = Array.from({ length: lines.length }, () => false);
  lines.forEach((line, index) => {
    if (line.kind === "context") return;
    for (let near = Math.max(0, index - CONTEXT); near <= Math.min(lines.length - 1, index + CONTEXT); near += 1) keep[near] = true;
  });
  const hunks: Hunk[] = [];
  let current: DiffLine[] = [];
  let skipped = 0;
  lines.forEach((line, index) => {
    if (keep[index]) {
      if (current.length === 0) hunks.push({ header: null, lines: (current = []), skipped: skipped || null });
      current.push(line);
      skipped = 0;
    } else {
      current = [];
      skipped += 1;
    }
  });
  return hunks;
}

/** Pair removed and added lines of one change and mark the words that differ. */
function markWords(lines: readonly DiffLine[]): DiffLine[] {
  const result = [...lines];
  let index = 0;
  while (index < result.length) {
    if (result[index]?.kind !== "del") {
      index += 1;
      continue;
    }
    let added = index;
    while (result[added]?.kind === "del") added += 1;
    let end = added;
    while (result[end]?.kind === "add") end += 1;
    const pairs = Math.min(added - index, end - added);
    if (added - index === end - added || pairs === 1) {
      for (let pair = 0; pair < pairs; pair += 1) {
        const old = result[index + pair];
        const fresh = result[added + pair];
        if (!old || !fresh) continue;
        const [left, right] = words(lineText(old), lineText(fresh));
        result[index + pair] = { ...old, pieces: left };
        result[added + pair] = { ...fresh, pieces: right };
      }
    }
    index = end;
  }
  return result;
}

export function lineText(line: DiffLine): string {
  return line.pieces.map((piece) => piece.text).join("");
}

function words(before: string, after: string): [Piece[], Piece[]] {
  const whole = (value: string): Piece[] => [{ text: value, changed: false }];
  if (before.length > MAX_WORD_DIFF || after.length > MAX_WORD_DIFF) return [whole(before), whole(after)];
  const parts = diffWordsWithSpace(before, after);
  const kept = parts.reduce((sum, part) => (part.added || part.removed ? sum : sum + part.value.trim().length), 0);
  // Two lines with little in common are two lines, not an edit of one.
  if (kept * 3 < Math.max(before.trim().length, after.trim().length)) return [whole(before), whole(after)];
  return [
    parts.filter((part) => !part.added).map((part) => ({ text: part.value, changed: part.removed === true })),
    parts.filter((part) => !part.removed).map((part) => ({ text: part.value, changed: part.added === true })),
  ];
}

export interface FileDiff extends Diff {
  readonly path: string;
  readonly oldPath: string | null;
  readonly binary: boolean;
  readonly status: "added" | "deleted" | "renamed" | "changed";
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/** Read a unified patch of one or more files, as `git diff` writes it. */
export function parsePatch(patch: string): FileDiff[] {
  const files: FileDiff[] = [];
  let head: { path: string; oldPath: string | null; binary: boolean; status: FileDiff["status"] } | null = null;
  let hunks: Hunk[] = [];
  let lines: DiffLine[] = [];
  let header: string | null = null;
  let oldNumber = 0;
  let newNumber = 0;
  let oldLeft = 0;
  let newLeft = 0;
  let inHunk = false;

  const endHunk = (): void => {
    if (inHunk) hunks.push({ header, lines: markWords(lines), skipped: null });
    lines = [];
    inHunk = false;
  };
  const endFile = (): void => {
    endHunk();
    if (head) files.push({ ...head, ...finish(hunks) });
    head = null;
    hunks = [];
  };

  for (const line of patch.replace(/\n$/, "").split("\n")) {
    if (inHunk && (oldLeft > 0 || newLeft > 0 || line.startsWith("\\"))) {
      const pieces = [{ text: line.slice(1), changed: false }];
      if (line.startsWith("+")) {
        lines.push({ kind: "add", oldNumber: null, newNumber: newNumber++, pieces });
        newLeft -= 1;
      } else if (line.startsWith("-")) {
        lines.push({ kind: "del", oldNumber: oldNumber++, newNumber: null, pieces });
        oldLeft -= 1;
      } else if (!line.startsWith("\\")) {
        // Some writers drop the blank that stands before an empty line.
        lines.push({ kind: "context", oldNumber: oldNumber++, newNumber: newNumber++, pieces });
        oldLeft -= 1;
        newLeft -= 1;
      }
      continue;
    }
    const hunk = HUNK.exec(line);
    if (hunk) {
      endHunk();
      oldNumber = Number(hunk[1]);
      oldLeft = Number(hunk[2] ?? 1);
      newNumber = Number(hunk[3]);
      newLeft = Number(hunk[4] ?? 1);
      header = hunk[5] ? hunk[5] : null;
      inHunk = true;
      head ??= { path: "", oldPath: null, binary: false, status: "changed" };
      continue;
    }
    if (line.startsWith("diff --git ")) {
      endFile();
      head = { path: /^diff --git a\/.* b\/(.*)$/.exec(line)?.[1] ?? "", oldPath: null, binary: false, status: "changed" };
    } else if (line.startsWith("--- ")) {
      if (!head || hunks.length > 0 || inHunk) {
        endFile();
        head = { path: "", oldPath: null, binary: false, status: "changed" };
      }
      const path = fileName(line.slice(4));
      if (path === null) head.status = "added";
      else if (head.path === "") head.path = path;
    } else if (line.startsWith("+++ ") && head) {
      const path = fileName(line.slice(4));
      if (path === null) head.status = "deleted";
      else head.path = path;
    } else if (head && line.startsWith("new file mode")) head.status = "added";
    else if (head && line.startsWith("deleted file mode")) head.status = "deleted";
    else if (head && line.startsWith("rename from ")) {
      head.oldPath = line.slice("rename from ".length);
      head.status = "renamed";
    } else if (head && line.startsWith("Binary files")) head.binary = true;
  }
  endFile();
  return files;
}

function fileName(name: string): string | null {
  const plain = name.split("\t")[0]?.trim() ?? "";
  if (plain === "/dev/null") return null;
  return plain.replace(/^[ab]\//, "");
}
