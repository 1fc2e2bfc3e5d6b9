import { Lexer, type MarkedOptions, type Token, type Tokens } from "marked";
import { memo, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { NO_BLOCKS, splitBlocks } from "@/transcript/blocks";
import { CodeBlock } from "./CodeBlock";
import { FileLink, SafeLink, looksLikePath } from "./links";

const OPTIONS: MarkedOptions = { gfm: true, breaks: false };
/** Larger passages are shown as they are: no person reads them, and parsing would stop the page. */
const MAX_BLOCK = 200_000;

/**
 * Markdown as React elements, never as HTML strings. Blocks that are finished keep their identity while more text streams
 * in; only the last one is parsed again, with its open syntax closed.
 */
export const Markdown = memo(function Markdown({ text, live = false }: { text: string; live?: boolean }) {
  const before = useRef(NO_BLOCKS);
  const blocks = useMemo(() => {
    before.current = splitBlocks(before.current, text);
    return before.current;
  }, [text]);
  return (
    <div className="prose">
      {blocks.done.map((block, index) => (
        // eslint-disable-next-line react/no-array-index-key -- blocks are only ever appended
        <Block key={index} source={block} live={false} />
      ))}
      {blocks.tail.trim() !== "" && <Block key={blocks.done.length} source={blocks.tail} live={live} />}
    </div>
  );
});

type Close = (source: string) => string;

/** Completes syntax that is still being written. Needed only while something streams, and loaded then. */
let closer: Close | null = null;
let loading: Promise<void> | null = null;

function useCloser(live: boolean): Close | null {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!live || closer) return undefined;
    let current = true;
    loading ??= import("remend").then(({ default: remend }) => {
      closer = (source) => remend(source, { links: true, linkMode: "text-only" });
    });
    void loading.then(() => current && redraw((turn) => turn + 1));
    return () => {
      current = false;
    };
  }, [live]);
  return live ? closer : null;
}

const Block = memo(function Block({ source, live }: { source: string; live: boolean }) {
  const close = useCloser(live);
  const tokens = useMemo(() => {
    if (source.length > MAX_BLOCK) return null;
    try {
      return new Lexer(OPTIONS).lex(close ? close(source) : source);
    } catch {
      return null;
    }
  }, [source, close]);
  if (!tokens) return <pre className="whitespace-pre-wrap">{source}</pre>;
  return blocks(tokens, live);
});

function blocks(tokens: readonly Token[], live: boolean): ReactNode[] {
  return tokens.map((token, index) => <BlockToken key={index} token={token} live={live && index === tokens.length - 1} />);
}

function BlockToken({ token, live }: { token: Token; live: boolean }): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return <Heading token={token as Tokens.Heading} />;
    case "paragraph":
      return <p>{inline(token.tokens)}</p>;
    case "code":
      return <CodeBlock code={token.text} label={(token as Tokens.Code).lang ?? ""} live={live} />;
    case "blockquote":
      return <blockquote>{blocks(token.tokens ?? [], live)}</blockquote>;
    case "list":
      return <List token={token as Tokens.List} live={live} />;
    case "table":
      return <Table token={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "html":
      // Shown, not obeyed.
      return <p className="whitespace-pre-wrap">{token.raw.trim()}</p>;
    case "text":
      return token.tokens ? inline(token.tokens) : unescape(token.raw);
    default:
      return token.raw;
  }
}

/** The page is the first level, turns are the second: what an answer calls a heading is the third, whatever its size. */
function Heading({ token }: { token: Tokens.Heading }): ReactNode {
  return <h3 className={`h${Math.min(3, token.depth)}`}>{inline(token.tokens)}</h3>;
}

function List({ token, live }: { token: Tokens.List; live: boolean }): ReactNode {
  const items = token.items.map((item, index) => (
    // eslint-disable-next-line react/no-array-index-key
    <li key={index} className={item.task ? "task" : undefined}>
      {item.task && <input type="checkbox" checked={item.checked ?? false} readOnly tabIndex={-1} aria-label={item.checked ? "done" : "open"} />}
      {item.tokens
        .filter((child) => child.type !== "checkbox")
        .map((child, at) =>
          // eslint-disable-next-line react/no-array-index-key
          child.type === "text" ? <span key={at}>{child.tokens ? inline(child.tokens) : child.raw}</span> : <BlockToken key={at} token={child} live={live && index === token.items.length - 1} />,
        )}
    </li>
  ));
  return token.ordered ? <ol start={token.start === "" ? 1 : token.start}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ token }: { token: Tokens.Table }): ReactNode {
  return (
    <div className="table-box" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {token.header.map((cell, index) => (
              // eslint-disable-next-line react/no-array-index-key
              <th key={index} scope="col" style={cell.align ? { textAlign: cell.align } : undefined}>
                {inline(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            // eslint-disable-next-line react/no-array-index-key
            <tr key={index}>
              {row.map((cell, at) => (
                // eslint-disable-next-line react/no-array-index-key
                <td key={at} style={cell.align ? { textAlign: cell.align } : undefined}>
                  {inline(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(tokens: readonly Token[] | undefined): ReactNode {
  return (tokens ?? []).map((token, index) => <InlineToken key={index} token={token} />);
}

function InlineToken({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token.tokens)}</strong>;
    case "em":
      return <em>{inline(token.tokens)}</em>;
    case "del":
      return <del>{inline(token.tokens)}</del>;
    case "codespan": {
      const { text } = token as Tokens.Codespan;
      return looksLikePath(text) ? <FileLink path={text} /> : <code>{text}</code>;
    }
    case "br":
      return <br />;
    case "link":
      return <SafeLink href={(token as Tokens.Link).href}>{inline(token.tokens)}</SafeLink>;
    case "image":
      return <RemotePicture token={token as Tokens.Image} />;
    case "escape":
      return (token as Tokens.Escape).text;
    case "text":
      return "tokens" in token && token.tokens ? inline(token.tokens) : entities((token as Tokens.Text).text);
    case "html":
      return token.raw;
    default:
      return token.raw;
  }
}

/** Pictures from elsewhere are not loaded: the request itself would tell on the reader. */
function RemotePicture({ token }: { token: Tokens.Image }): ReactNode {
  return <SafeLink href={token.href}>{token.text || "image"}</SafeLink>;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", hellip: "…", mdash: "—", ndash: "–", copy: "©", rarr: "→", larr: "←", times: "×" };

function entities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z]+);/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = name[1] === "x" || name[1] === "X" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function unescape(text: string): string {
  return text.replace(/\\([!-/:-@[-`{-~])/g, "$1");
}
