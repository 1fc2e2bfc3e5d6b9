/**
 * Cuts growing Markdown into blocks. What is finished is a frozen string and keeps its identity; only the text after the last
 * certain block boundary is looked at again.
 */

export interface Blocks {
  readonly source: string;
  /** Finished blocks; concatenated with `tail` they are the source. */
  readonly done: readonly string[];
  readonly tail: string;
}

export const NO_BLOCKS: Blocks = { source: "", done: [], tail: "" };

/** Blocks of `source`, continuing from `before` when the text only grew. */
export function splitBlocks(before: Blocks, source: string): Blocks {
  if (source === before.source) return before;
  const continues = before.source !== "" && source.startsWith(before.source);
  const done = continues ? [...before.done] : [];
  let rest = continues ? before.tail + source.slice(before.source.length) : source;
  for (;;) {
    const cut = firstBoundary(rest);
    if (cut <= 0) break;
    done.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return { source, done, tail: rest };
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
/** The beginning of a list marker, of which the rest is still to come. */
const MAY_BECOME_MARKER = /^\s*(?:[-*+]|\d{1,9}[.)]?)$/;
const CONTINUES = /^(?: {2,}|\t|\s*[-*+] |\s*\d{1,9}[.)] |\s*>|\s*\|)/;

/**
 * Length of the first block including the blank lines after it, or 0 when it may still grow. A block ends at a blank line
 * that is followed by a line which cannot belong to the same list, quote, table or code.
 */
function firstBoundary(text: string): number {
  let position = 0;
  let fence: string | null = null;
  let list = false;
  let content = false;
  let blank = false;
  while (position < text.length) {
    const end = text.indexOf("\n", position);
    if (end < 0) {
      // The last line is still being written: it ends a block only when it plainly begins another.
      const line = text.slice(position);
      return blank && content && fence === null && line.trim() !== "" && starts(line, list) && !(list && MAY_BECOME_MARKER.test(line)) ? position : 0;
    }
    const line = text.slice(position, end);
    const mark = FENCE.exec(line);
    if (fence !== null) {
      if (mark?.[1]?.startsWith(fence) && line.trim() === mark[1]) {
        fence = null;
        if (!list) return closingBlank(text, end + 1);
      }
    } else if (line.trim() === "") {
      blank = content;
    } else {
      if (blank && starts(line, list)) return position;
      if (mark?.[1]) {
        if (content && !list) return position;
        fence = mark[1];
      }
      if (!content) list = CONTINUES.test(line) && !/^(?: {4,}|\t)/.test(line);
      content = true;
      blank = false;
      if (/^ {0,3}#{1,6}(?:\s|$)/.test(line) && fence === null && !list) return closingBlank(text, end + 1);
    }
    position = end + 1;
  }
  return 0;
}

/** Does `line`, after a blank one, begin a new block? */
function starts(line: string, list: boolean): boolean {
  return !(list && CONTINUES.test(line)) && !/^(?: {4,}|\t)/.test(line);
}

/** Where the blank lines after a finished block end; 0 until something follows them. */
function closingBlank(text: string, from: number): number {
  let position = from;
  for (;;) {
    const end = text.indexOf("\n", position);
    const line = text.slice(position, end < 0 ? undefined : end);
    if (line.trim() !== "") return position;
    if (end < 0) return 0;
    position = end + 1;
  }
}
