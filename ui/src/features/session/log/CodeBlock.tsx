import { ChevronDown, WrapText } from "lucide-react";
import { memo, useState } from "react";
import { CopyButton, IconButton, cx } from "@/ui";
import { plural } from "@/data/format";
import { languageOf } from "@/transcript/highlight";
import { useHighlight, type Lines } from "./useHighlight";

/** Longer blocks fold to their beginning. */
const FOLD_ABOVE = 30;
const FOLD_TO = 20;

const ROLES = ["", "tok-comment", "tok-keyword", "tok-string", "tok-number", "tok-function", "tok-type"] as const;

/** Text with colours, or plain until they come: the same characters either way. */
export const Coloured = memo(function Coloured({ code, lines, limit }: { code: string; lines: Lines | null; limit?: number | undefined }) {
  if (!lines) return limit === undefined ? code : code.split("\n").slice(0, limit).join("\n");
  return (limit === undefined ? lines : lines.slice(0, limit)).map((line, index) => (
    // eslint-disable-next-line react/no-array-index-key -- lines have no other identity
    <span key={index}>
      {index > 0 && "\n"}
      {line.map(([text, role], at) =>
        role === 0 ? (
          text
        ) : (
          // eslint-disable-next-line react/no-array-index-key
          <span key={at} className={ROLES[role]}>
            {text}
          </span>
        ),
      )}
    </span>
  ));
});

/** A fenced block: label, copy, wrap; coloured when it is finished. */
export const CodeBlock = memo(function CodeBlock({ code, label, live }: { code: string; label: string; live: boolean }) {
  const [wrap, setWrap] = useState(false);
  const [open, setOpen] = useState(false);
  const lines = useHighlight(code, languageOf(label), !live);
  const count = code.split("\n").length;
  const folded = !open && !live && count > FOLD_ABOVE;
  return (
    <figure className="code-block" data-wrap={wrap || undefined}>
      <figcaption>
        <span className="truncate">{label || "text"}</span>
        <span className="flex-1" />
        <span className="code-actions">
          <IconButton icon={WrapText} size="sm" label={wrap ? "Do not wrap lines" : "Wrap lines"} aria-pressed={wrap} onClick={() => setWrap(!wrap)} />
          <CopyButton text={code} label="Copy code" />
        </span>
      </figcaption>
      <pre tabIndex={0} aria-label={label ? `${label} code` : "code"}>
        <code>
          <Coloured code={code} lines={lines} limit={folded ? FOLD_TO : undefined} />
        </code>
      </pre>
      {(folded || (open && count > FOLD_ABOVE)) && (
        <button type="button" className="code-more" aria-expanded={open} onClick={() => setOpen(!open)}>
          <ChevronDown size={14} aria-hidden="true" className={cx("transition-transform", open && "rotate-180")} />
          {open ? "Show less" : `${plural(count - FOLD_TO, "more line")}`}
        </button>
      )}
    </figure>
  );
});
