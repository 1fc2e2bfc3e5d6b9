/** The end of a conversation, kept for the next visit. */

import type { Item, Transcript } from "./model";

/** What is kept of a session between visits. */
export interface StoredTail {
  readonly version: 1;
  readonly entries: Transcript["entries"];
  readonly items: readonly Item[];
}

/** Entries kept. */
const KEEP = 60;

export function takeTail(transcript: Transcript): StoredTail | null {
  const entries = transcript.entries.filter((entry) => !entry.live).slice(-KEEP);
  if (entries.length === 0) return null;
  return { version: 1, entries, items: entries.flatMap((entry) => entry.items.flatMap((id) => transcript.items.get(id) ?? [])) };
}

/** Into an empty transcript; what the server says later is matched to it. */
export function putTail(transcript: Transcript, tail: StoredTail): void {
  transcript.entries = [...tail.entries];
  for (const item of tail.items) transcript.items.set(item.id, item);
  for (const entry of tail.entries) {
    transcript.keys.add(entry.key);
    for (const call of entry.toolCalls) transcript.toolOwner.set(call, entry.key);
  }
}
