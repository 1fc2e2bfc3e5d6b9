import { memo, useMemo, useState } from "react";
import { usePref } from "@/data/prefs";
import { plural } from "@/data/format";
import { useMedia } from "@/ui";
import { lineText, type Diff, type DiffLine, type Hunk } from "@/transcript/diff";
import { languageOfPath, type Run } from "@/transcript/highlight";
import { useHighlight, type Lines } from "../log/useHighlight";

/** More lines than this are shown on demand. */
const MOUNT = 400;
const ROLES = ["", "tok-comment", "tok-keyword", "tok-string", "tok-number", "tok-function", "tok-type"] as const;

interface Props {
  readonly diff: Diff;
  readonly path: string | null;
  /** Side by side where there is room; small cards never are. */
  readonly maySplit?: boolean;
  readonly onLine?: ((line: DiffLine) => void) | undefined;
}

/** Changes as lines, words marked, with the colours of the language. */
export const DiffView = memo(function DiffView({ diff, path, maySplit = false, onLine }: Props) {
  const [all, setAll] = useState(false);
  const wide = useMedia("(min-width: 1024px)");
  const split = usePref("diff") === "split" && wide && maySplit;
  const total = diff.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  let left = all ? Infinity : MOUNT;
  return (
    <div className="diff" tabIndex={0} role="region" aria-label={path ? `Changes in ${path}` : "Changes"} data-split={split || undefined} data-plain={(diff.removed === 0 && diff.hunks.every((hunk) => hunk.lines.every((line) => line.kind === "add"))) || undefined} data-numbers={diff.hunks.some((hunk) => hunk.lines.some((line) => line.newNumber !== null || line.oldNumber !== null)) || undefined}>
      {diff.hunks.map((hunk, index) => {
        if (left <= 0) return null;
        const lines = hunk.lines.slice(0, left);
        left -= lines.length;
        return <HunkView key={index} hunk={{ ...hunk, lines }} path={path} first={index === 0} split={split} onLine={onLine} />;
      })}
      {!all && total > MOUNT && (
        <button type="button" className="output-more" onClick={() => setAll(true)}>
          {plural(total - MOUNT, "more line")}
        </button>
      )}
    </div>
  );
});

function HunkView({ hunk, path, first, split, onLine }: { hunk: Hunk; path: string | null; first: boolean; split: boolean; onLine: Props["onLine"] }) {
  const language = path === null ? null : languageOfPath(path);
  const [before, after] = useMemo(
    () => [hunk.lines.filter((line) => line.kind !== "add").map(lineText).join("\n"), hunk.lines.filter((line) => line.kind !== "del").map(lineText).join("\n")],
    [hunk.lines],
  );
  const oldColours = useHighlight(before, language);
  const newColours = useHighlight(after, language);
  const coloured = useMemo(() => assign(hunk.lines, oldColours, newColours), [hunk.lines, oldColours, newColours]);
  return (
    <>
      {(hunk.header !== null || hunk.skipped !== null || !first) && <div className="diff-gap">{hunk.header ?? (hunk.skipped === null ? "" : `${plural(hunk.skipped, "unchanged line")}`)}</div>}
      {split ? <SplitLines lines={coloured} onLine={onLine} /> : <div className="diff-lines">{coloured.map((entry, index) => <LineView key={index} {...entry} onLine={onLine} />)}</div>}
    </>
  );
}

interface Entry {
  readonly line: DiffLine;
  readonly runs: readonly Run[] | null;
}

function assign(lines: readonly DiffLine[], before: Lines | null, after: Lines | null): Entry[] {
  let oldAt = 0;
  let newAt = 0;
  return lines.map((line) => {
    if (line.kind === "del") return { line, runs: before?.[oldAt++] ?? null };
    const runs = after?.[newAt++] ?? null;
    if (line.kind === "context") oldAt += 1;
    return { line, runs };
  });
}

const SIGNS = { add: "+", del: "−", context: " " } as const;
const NAMES = { add: "added", del: "removed", context: "" } as const;

function LineView({ line, runs, onLine, side }: Entry & { onLine: Props["onLine"]; side?: "old" | "new" }) {
  return (
    <div className="diff-line" data-kind={line.kind}>
      {side !== "new" && <Gutter line={line} number={line.oldNumber} onLine={onLine} />}
      {side !== "old" && <Gutter line={line} number={line.newNumber} onLine={onLine} />}
      <span className="diff-sign" aria-label={NAMES[line.kind]}>
        {SIGNS[line.kind]}
      </span>
      <code className="diff-text">{content(line, runs)}</code>
    </div>
  );
}

function Gutter({ line, number, onLine }: { line: DiffLine; number: number | null; onLine: Props["onLine"] }) {
  if (!onLine || number === null) return <span className="diff-number">{number ?? ""}</span>;
  return (
    <button type="button" className="diff-number" title="Comment on this line" onClick={() => onLine(line)}>
      {number}
    </button>
  );
}

/** Colours and word marks laid over each other. */
function content(line: DiffLine, runs: readonly Run[] | null) {
  if (!line.pieces.some((piece) => piece.changed)) return runs ? runs.map(([text, role], index) => <span key={index} className={ROLES[role] || undefined}>{text}</span>) : lineText(line) || "\u200b";
  const marks: { text: string; changed: boolean; role: number }[] = [];
  const colours = runs ?? [[lineText(line), 0] as const];
  let at = 0;
  let used = 0;
  for (const piece of line.pieces) {
    let left = piece.text.length;
    while (left > 0) {
      const run = colours[at];
      if (!run) break;
      const take = Math.min(left, run[0].length - used);
      marks.push({ text: run[0].slice(used, used + take), changed: piece.changed, role: run[1] });
      left -= take;
      used += take;
      if (used >= run[0].length) {
        at += 1;
        used = 0;
      }
    }
  }
  return marks.map((mark, index) => {
    const colour = ROLES[mark.role] || undefined;
    return mark.changed ? (
      <mark key={index} className={colour}>
        {mark.text}
      </mark>
    ) : (
      <span key={index} className={colour}>
        {mark.text}
      </span>
    );
  });
}

function SplitLines({ lines, onLine }: { lines: readonly Entry[]; onLine: Props["onLine"] }) {
  const pairs: [Entry | null, Entry | null][] = [];
  let index = 0;
  while (index < lines.length) {
    const entry = lines[index];
    if (!entry) break;
    if (entry.line.kind === "context") {
      pairs.push([entry, entry]);
      index += 1;
      continue;
    }
    const removed: Entry[] = [];
    const added: Entry[] = [];
    while (lines[index]?.line.kind === "del") removed.push(lines[index++]!);
    while (lines[index]?.line.kind === "add") added.push(lines[index++]!);
    for (let at = 0; at < Math.max(removed.length, added.length); at += 1) pairs.push([removed[at] ?? null, added[at] ?? null]);
  }
  return (
    <div className="diff-split">
      {pairs.map(([left, right], at) => (
        <div key={at} className="diff-pair">
          {left ? <LineView {...left} onLine={onLine} side="old" /> : <div className="diff-line" data-kind="none" />}
          {right ? <LineView {...right} onLine={onLine} side="new" /> : <div className="diff-line" data-kind="none" />}
        </div>
      ))}
    </div>
  );
}
