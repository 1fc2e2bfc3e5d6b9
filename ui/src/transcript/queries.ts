/** Questions to a transcript. */

import type { Item, Transcript } from "./model";

/** How far back something that goes on can stand. */
const RECENT = 12;

/** The item that is being written or run, newest first; tells what the agent is doing. */
export function currentItem({ entries, items }: Transcript): Item | null {
  for (let index = entries.length - 1; index >= Math.max(0, entries.length - RECENT); index -= 1) {
    for (const id of entries[index]?.items.toReversed() ?? []) {
      const item = items.get(id);
      if (item?.kind === "tool" && (item.state === "running" || item.state === "preparing")) return item;
      if ((item?.kind === "text" || item?.kind === "thinking") && item.live) return item;
    }
  }
  return null;
}

/** Text of the last assistant message that has any. */
export function lastText({ entries, items }: Transcript): string | null {
  for (const entry of entries.toReversed()) {
    const texts = entry.items.flatMap((id) => {
      const item = items.get(id);
      return item?.kind === "text" ? item.text : [];
    });
    if (texts.length > 0) return texts.join("\n\n");
  }
  return null;
}

/** The error the conversation ends with, if it does. */
export function lastFailure({ entries, items }: Transcript): string | null {
  const last = entries.findLast((entry) => entry.role === "assistant" || entry.role === "user");
  const item = items.get(last?.items.at(-1) ?? "");
  return item?.kind === "notice" && item.notice === "error" ? (item.detail ?? item.text) : null;
}
