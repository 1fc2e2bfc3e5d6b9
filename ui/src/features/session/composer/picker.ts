/** What the text at the caret asks for. Pure. */

export type Asked =
  | { readonly kind: "command"; readonly query: string; readonly from: 0; readonly to: number }
  /** The command is known and its argument is being typed. */
  | { readonly kind: "argument"; readonly command: string; readonly query: string; readonly from: number; readonly to: number }
  | { readonly kind: "mention"; readonly query: string; readonly from: number; readonly to: number };

const COMMAND = /^\/([\w:.-]*)$/;
const ARGUMENT = /^\/([\w:.-]+) ([^\n]*)$/;
const MENTION = /(?:^|[\s(])@([^\s@]*)$/;

export function askedAt(text: string, caret: number): Asked | null {
  const before = text.slice(0, caret);
  const command = COMMAND.exec(before);
  if (command) return { kind: "command", query: command[1] ?? "", from: 0, to: caret };
  const argument = ARGUMENT.exec(before);
  if (argument && caret === text.length) return { kind: "argument", command: argument[1] ?? "", query: argument[2] ?? "", from: caret - (argument[2]?.length ?? 0), to: caret };
  const mention = MENTION.exec(before);
  if (mention) {
    const query = mention[1] ?? "";
    return { kind: "mention", query, from: caret - query.length - 1, to: caret };
  }
  return null;
}

/** Entries whose name begins with the query, then those that contain it; the order within stays. */
export function match<T>(entries: readonly T[], query: string, name: (entry: T) => string): T[] {
  const wanted = query.toLowerCase();
  if (wanted === "") return [...entries];
  const begins = entries.filter((entry) => name(entry).toLowerCase().startsWith(wanted));
  const contains = entries.filter((entry) => !begins.includes(entry) && name(entry).toLowerCase().includes(wanted));
  return [...begins, ...contains];
}

/** "/name rest" split; `null` for text that is no command. */
export function parseCommand(text: string): { name: string; rest: string } | null {
  const found = /^\/([\w:.-]+)(?:\s+([\s\S]*))?$/.exec(text.trim());
  return found ? { name: found[1] ?? "", rest: (found[2] ?? "").trim() } : null;
}
