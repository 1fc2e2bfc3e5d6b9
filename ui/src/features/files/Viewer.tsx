import { ArrowLeft, AtSign, Code, Copy, Eye, RefreshCw, WrapText } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { bytes, plural } from "@/data/format";
import { messageOf } from "@/net/api";
import { Banner, CopyButton, EmptyState, ErrorState, IconButton, SkeletonRows, copyText, toast } from "@/ui";
import { languageOfPath } from "@/transcript/highlight";
import { Coloured } from "@/features/session/log/CodeBlock";
import { PlainMarkdown } from "@/features/session/log/PlainMarkdown";
import { useHighlight } from "@/features/session/log/useHighlight";
import { looksBinary, mediaOf, readBinary, readText, type FileContent } from "./api";

interface Props {
  readonly runnerId: string;
  readonly path: string;
  /** As people say it: relative to the session's folder. */
  readonly name: string;
  readonly line: number | null;
  /** Moves when the agent changed files: what is shown is read again. */
  readonly touch: unknown;
  readonly onBack: () => void;
  readonly onMention: (text: string) => void;
}

export function Viewer({ runnerId, path, name, line, touch, onBack, onMention }: Props) {
  const [file, setFile] = useState<FileContent | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  const [wrap, setWrap] = useState(false);
  const [source, setSource] = useState(false);
  const media = mediaOf(path);
  const markdown = /\.mdx?$/i.test(path);
  useEffect(() => {
    const cancel = new AbortController();
    const read = mediaOf(path) ? readBinary : readText;
    read(runnerId, path, cancel.signal).then(
      (content) => {
        setFile((before) => (before && before.content === content.content && before.truncated === content.truncated ? before : content));
        setFailure(null);
      },
      (error: unknown) => !cancel.signal.aborted && setFailure(messageOf(error)),
    );
    return () => cancel.abort();
  }, [runnerId, path, turn, touch]);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-10 shrink-0 items-center gap-0.5 border-b border-line pr-2 pl-1">
        <IconButton icon={ArrowLeft} size="sm" label="All files" onClick={onBack} />
        <span className="min-w-0 flex-1 truncate font-mono text-code" title={path}>
          {name}
        </span>
        {markdown && <IconButton icon={source ? Eye : Code} size="sm" label={source ? "Show as a page" : "Show the source"} onClick={() => setSource(!source)} />}
        {!media && (!markdown || source) && <IconButton icon={WrapText} size="sm" label="Wrap lines" aria-pressed={wrap} onClick={() => setWrap(!wrap)} />}
        <IconButton icon={AtSign} size="sm" label="Mention in message" onClick={() => onMention(`@${name} `)} />
        <IconButton icon={Copy} size="sm" label="Copy path" onClick={() => void copyText(path).then((done) => done && toast("Path copied"))} />
        <IconButton icon={RefreshCw} size="sm" label="Read again" onClick={() => setTurn(turn + 1)} />
      </div>
      {failure ? (
        <ErrorState title={/not found|no such file/i.test(failure) ? "This file does not exist any more" : "This file could not be read"} detail={failure} onRetry={() => setTurn(turn + 1)} />
      ) : !file ? (
        <SkeletonRows rows={10} className="p-4" />
      ) : media ? (
        <Media file={file} mime={media.mime} kind={media.kind} name={name} />
      ) : file.content === null ? (
        <EmptyState title={`Too large to show${file.size === null ? "" : ` (${bytes(file.size)})`}`} />
      ) : looksBinary(file.content) ? (
        <EmptyState title={`A binary file${file.size === null ? "" : `, ${bytes(file.size)}`}`} />
      ) : (
        <>
          {file.truncated && <Banner className="m-2">Only the first {bytes(file.content.length)}{file.size === null ? "" : ` of ${bytes(file.size)}`} are shown.</Banner>}
          {markdown && !source ? (
            <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">
              <PlainMarkdown text={file.content} />
            </div>
          ) : (
            <Source key={path} content={file.content} path={path} line={line} wrap={wrap} onLines={(from, to) => onMention(`${name}:${from}${to === from ? "" : `-${to}`} `)} />
          )}
        </>
      )}
    </div>
  );
}

/** Lines of one part; parts outside of the view cost nothing. */
const PART = 200;
const LINE_PX = 20;

function Source({ content, path, line, wrap, onLines }: { content: string; path: string; line: number | null; wrap: boolean; onLines: (from: number, to: number) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => content.replace(/\n$/, "").split("\n"), [content]);
  const colours = useHighlight(content, languageOfPath(path));
  const [chosen, setChosen] = useState<{ from: number; to: number } | null>(line === null ? null : { from: line, to: line });
  useEffect(() => {
    if (line === null) return;
    setChosen({ from: line, to: line });
    box.current?.querySelector(`[data-line="${line}"]`)?.scrollIntoView({ block: "center" });
  }, [line]);
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div ref={box} className="source" data-wrap={wrap || undefined} tabIndex={0} role="region" aria-label={path}>
        {Array.from({ length: Math.ceil(lines.length / PART) }, (_, part) => (
          <div key={part} className="source-part" style={{ containIntrinsicSize: `auto ${Math.min(PART, lines.length - part * PART) * LINE_PX}px` }}>
            {lines.slice(part * PART, part * PART + PART).map((text, index) => {
              const number = part * PART + index + 1;
              const colour = colours?.[number - 1];
              const on = chosen !== null && number >= chosen.from && number <= chosen.to;
              return (
                <div key={number} className="source-line" data-line={number} data-on={on || undefined}>
                  <button
                    type="button"
                    tabIndex={-1}
                    className="source-number"
                    aria-label={`Line ${number}`}
                    onClick={(event) => setChosen(event.shiftKey && chosen ? { from: Math.min(chosen.from, number), to: Math.max(chosen.to, number) } : { from: number, to: number })}
                  >
                    {number}
                  </button>
                  <code>{colour ? <Coloured code={text} lines={[colour]} /> : text || "\u200b"}</code>
                </div>
              );
            })}
          </div>
        ))}
      </div>
      <div className="flex shrink-0 items-center gap-2 border-t border-line px-3 py-1 text-meta text-text-3">
        <span className="tnum">{plural(lines.length, "line")}</span>
        <span className="flex-1" />
        {chosen && (
          <button type="button" className="rounded-ctl px-2 py-1 text-text-2 hover:bg-hover hover:text-text" onClick={() => onLines(chosen.from, chosen.to)}>
            Mention {chosen.from === chosen.to ? `line ${chosen.from}` : `lines ${chosen.from}–${chosen.to}`}
          </button>
        )}
        <CopyButton text={content} label="Copy content" />
      </div>
    </div>
  );
}

function Media({ file, mime, kind, name }: { file: FileContent; mime: string; kind: "picture" | "film"; name: string }) {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (file.content === null) return undefined;
    const raw = atob(file.content);
    const data = new Uint8Array(raw.length);
    for (let index = 0; index < raw.length; index += 1) data[index] = raw.charCodeAt(index);
    const made = URL.createObjectURL(new Blob([data], { type: mime }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file.content, mime]);
  if (file.content === null) return <EmptyState title={`Too large to show${file.size === null ? "" : ` (${bytes(file.size)})`}`} />;
  if (!address) return null;
  return (
    <div className="checkered flex min-h-0 flex-1 overflow-auto p-4">
      {kind === "picture" ? <img src={address} alt={name} className="m-auto max-h-full max-w-full object-contain" /> : <video src={address} controls className="m-auto max-h-full max-w-full" />}
    </div>
  );
}
