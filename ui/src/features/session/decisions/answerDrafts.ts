/** Half-made answers, by the id of their decision: they survive folding, switching and the inbox. */
const drafts = new Map<string, unknown>();
const KEEP = 100;

export function answerDraft<T>(id: string, check: (value: unknown) => value is T): T | undefined {
  const value = drafts.get(id);
  return check(value) ? value : undefined;
}

export function keepAnswerDraft(id: string, value: unknown): void {
  drafts.delete(id);
  drafts.set(id, value);
  for (const key of drafts.keys()) {
    if (drafts.size <= KEEP) break;
    drafts.delete(key);
  }
}
