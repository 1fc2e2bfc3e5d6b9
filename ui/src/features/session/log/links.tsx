import type { ReactNode } from "react";
import { useMaybeSession } from "../context";

const SAFE = /^(https?:|mailto:)/i;

/** A link out of the app: only to known schemes, never with our address or a handle on our page. */
export function SafeLink({ href, children }: { href: string; children: ReactNode }) {
  const path = localPath(href);
  if (path) return <FileLink path={path}>{children}</FileLink>;
  if (!SAFE.test(href)) return <span title={href}>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer" title={href}>
      {children}
    </a>
  );
}

function localPath(href: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(href) || href.startsWith("#") || href.startsWith("//")) return null;
  return looksLikePath(href) ? href : null;
}

const PATH = /^(?:~\/|\.{0,2}\/)?(?:[\w@.+-]+\/)*[\w@.+-]+\.[A-Za-z][A-Za-z0-9]{0,7}(?::\d+(?:[:-]\d+)?)?$/;
const ENDINGS = new Set(
  "rs ts tsx js jsx mjs cjs json jsonc toml yaml yml md mdx txt py rb go java kt c h cc cpp hpp cs css scss html svg sh bash zsh sql lock xml ini conf cfg env php swift scala lua zig nix vue svelte proto graphql ex exs hs png jpg jpeg gif webp pdf csv log patch diff".split(" "),
);

/** Does a word in code style name a file? */
export function looksLikePath(text: string): boolean {
  if (text.length > 200 || !PATH.test(text)) return false;
  const ending = /\.([A-Za-z][A-Za-z0-9]*)(?::|$)/.exec(text.split("/").at(-1) ?? "")?.[1]?.toLowerCase();
  return ending !== undefined && ENDINGS.has(ending);
}

export function splitPath(text: string): { path: string; line: number | undefined } {
  const match = /^(.*?)(?::(\d+)(?:[:-]\d+)?)?$/.exec(text);
  const line = match?.[2];
  return { path: match?.[1] ?? text, line: line === undefined ? undefined : Number(line) };
}

/** Opens a file of the session's machine. */
export function FileLink({ path: text, children }: { path: string; children?: ReactNode }) {
  const session = useMaybeSession();
  const { path, line } = splitPath(text);
  if (!session) return children ?? <code>{text}</code>;
  return (
    <button type="button" className="file-link" title={`Open ${path}`} onClick={() => session.openFile(path, line)}>
      {children ?? <code>{text}</code>}
    </button>
  );
}
