/** The changes a tool made, as lines. Loaded when somebody opens a card. */

import { addedText, diffTexts, parsePatch, type Diff, type Hunk } from "@/transcript/diff";
import { object, text, words } from "@/transcript/json";
import type { ToolItem } from "@/transcript/model";
import { editsOf } from "./describe";

const diffs = new WeakMap<object, Diff | null>();

/** The change an edit makes: the agent's patch when it sent one, else what its arguments say. */
export function editDiff(item: ToolItem): Diff | null {
  const holder = object(item.details) ?? item.args;
  const known = diffs.get(holder);
  if (known !== undefined) return known;
  const diff = readDiff(item);
  diffs.set(holder, diff);
  return diff;
}

function readDiff(item: ToolItem): Diff | null {
  const patch = words(object(item.details)?.["patch"]);
  const file = patch ? parsePatch(patch)[0] : undefined;
  if (file) return file;
  const hunks: Hunk[] = [];
  let added = 0;
  let removed = 0;
  for (const { before, after } of editsOf(item.args)) {
    const diff = diffTexts(before, after);
    added += diff.added;
    removed += diff.removed;
    // Where in the file the passage stands is not known.
    hunks.push(...diff.hunks.map((hunk) => ({ ...hunk, skipped: null, lines: hunk.lines.map((line) => ({ ...line, oldNumber: null, newNumber: null })) })));
  }
  return hunks.length > 0 ? { hunks, added, removed } : null;
}

export function writtenDiff(item: ToolItem): Diff | null {
  const content = text(item.args["content"]);
  return content === null ? null : addedText(content);
}
