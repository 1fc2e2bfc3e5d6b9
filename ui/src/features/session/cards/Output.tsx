import { memo, useMemo, useState } from "react";
import { plural } from "@/data/format";
import { cleanOutput, hasAnsi } from "@/transcript/ansi";
import { spans } from "@/transcript/spans";
import { CopyButton } from "@/ui";

/** What is mounted of a long output before somebody asks for all of it. */
const HEAD = 20;
const TAIL = 20;
/** Lines of one part of a fully opened output; parts outside of the view cost nothing. */
const PART = 400;

/** Output of a command: colours, beginning and end, the rest on demand. */
export const Output = memo(function Output({ text, label = "Output" }: { text: string; label?: string }) {
  const [all, setAll] = useState(false);
  const lines = useMemo(() => cleanOutput(text).replace(/\n+$/, "").split("\n"), [text]);
  const hidden = lines.length - HEAD - TAIL;
  if (text.trim() === "") return <p className="card-note">No output</p>;
  return (
    <div className="output" role="region" aria-label={label}>
      <CopyButton text={() => lines.join("\n")} label="Copy output" className="output-copy" />
      {hidden <= 4 ? (
        <pre tabIndex={0}>
          <Ansi text={lines.join("\n")} />
        </pre>
      ) : all ? (
        <pre tabIndex={0} className="output-all">
          {Array.from({ length: Math.ceil(lines.length / PART) }, (_, part) => (
            <span key={part} className="output-part" style={{ containIntrinsicSize: `auto ${PART * 20}px` }}>
              <Ansi text={lines.slice(part * PART, part * PART + PART).join("\n")} />
              {"\n"}
            </span>
          ))}
        </pre>
      ) : (
        <>
          <pre tabIndex={0}>
            <Ansi text={lines.slice(0, HEAD).join("\n")} />
          </pre>
          <button type="button" className="output-more" onClick={() => setAll(true)}>
            {plural(hidden, "more line")}
          </button>
          <pre tabIndex={0}>
            <Ansi text={lines.slice(-TAIL).join("\n")} />
          </pre>
        </>
      )}
    </div>
  );
});

export const Ansi = memo(function Ansi({ text }: { text: string }) {
  const parts = useMemo(() => (hasAnsi(text) ? spans(text) : null), [text]);
  if (!parts) return text;
  return parts.map((part, index) => (
    <span
      // eslint-disable-next-line react/no-array-index-key
      key={index}
      style={{
        ...(part.color ? { color: part.color } : {}),
        ...(part.background ? { background: part.background } : {}),
        ...(part.bold ? { fontWeight: 600 } : {}),
        ...(part.dim ? { opacity: 0.7 } : {}),
        ...(part.italic ? { fontStyle: "italic" } : {}),
        ...(part.underline ? { textDecoration: "underline" } : {}),
      }}
    >
      {part.text}
    </span>
  ));
});
