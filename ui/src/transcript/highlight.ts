/** What page and highlighting worker say to each other, and which language a name stands for. */

/** Text and the index of its role: 0 plain, 1 comment, 2 keyword, 3 string, 4 number, 5 function, 6 type. */
export type Run = readonly [text: string, role: number];

export interface HighlightRequest {
  readonly id: number;
  readonly language: string;
  readonly code: string;
}

export interface HighlightAnswer {
  readonly id: number;
  /** `null`: no colours for this text. */
  readonly lines: readonly (readonly Run[])[] | null;
}

/** Larger texts stay plain until somebody asks. */
export const MAX_HIGHLIGHT_LINES = 2_000;
export const MAX_HIGHLIGHT_CHARACTERS = 200_000;

const ALIASES: Record<string, string> = {
  sh: "bash", shell: "bash", zsh: "bash", console: "bash", shellscript: "bash", fish: "bash",
  h: "c", "c++": "cpp", cc: "cpp", cxx: "cpp", hpp: "cpp", hh: "cpp",
  cs: "csharp", "c#": "csharp", patch: "diff", dockerfile: "docker", ex: "elixir", exs: "elixir",
  golang: "go", gql: "graphql", hs: "haskell", htm: "html", conf: "ini", cfg: "ini", properties: "ini",
  js: "javascript", mjs: "javascript", cjs: "javascript", json5: "jsonc", kt: "kotlin", kts: "kotlin",
  makefile: "make", mk: "make", md: "markdown", mdx: "markdown", py: "python", pyi: "python", rb: "ruby",
  rs: "rust", sc: "scala", ts: "typescript", mts: "typescript", cts: "typescript", yml: "yaml", svg: "xml", plist: "xml",
};

const KNOWN = new Set(
  "bash c cpp csharp css diff docker elixir go graphql haskell html ini java javascript json jsonc jsx kotlin lua make markdown nix php python ruby rust scala scss sql svelte swift toml tsx typescript vue xml yaml zig".split(" "),
);

/** The grammar for a fence's label, or `null`. */
export function languageOf(label: string | null | undefined): string | null {
  const name = label?.trim().toLowerCase().split(/[\s,{:]/)[0] ?? "";
  const known = ALIASES[name] ?? name;
  return KNOWN.has(known) ? known : null;
}

const FILE_NAMES: Record<string, string> = { dockerfile: "docker", makefile: "make", justfile: "make", "cargo.lock": "toml", ".bashrc": "bash", ".zshrc": "bash", ".gitignore": "ini", ".env": "ini" };

export function languageOfPath(path: string): string | null {
  const name = path.split(/[\\/]/).at(-1)?.toLowerCase() ?? "";
  return FILE_NAMES[name] ?? languageOf(name.includes(".") ? name.split(".").at(-1) : null);
}
