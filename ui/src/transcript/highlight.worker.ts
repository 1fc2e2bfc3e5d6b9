/**
 * Colours for code, off the main thread. Answers with runs of characters and the role of each; the page maps roles to its
 * own six colours, so both themes come from one answer.
 */

import { createHighlighterCore, type HighlighterCore, type LanguageInput, type ThemeRegistration } from "shiki/core";
import { createJavaScriptRegexEngine } from "shiki/engine/javascript";
import type { HighlightAnswer, HighlightRequest, Run } from "./highlight";

type Loader = () => Promise<{ default: LanguageInput }>;

const LANGUAGES: Record<string, Loader> = {
  bash: () => import("@shikijs/langs/bash"),
  c: () => import("@shikijs/langs/c"),
  cpp: () => import("@shikijs/langs/cpp"),
  csharp: () => import("@shikijs/langs/csharp"),
  css: () => import("@shikijs/langs/css"),
  diff: () => import("@shikijs/langs/diff"),
  docker: () => import("@shikijs/langs/docker"),
  elixir: () => import("@shikijs/langs/elixir"),
  go: () => import("@shikijs/langs/go"),
  graphql: () => import("@shikijs/langs/graphql"),
  haskell: () => import("@shikijs/langs/haskell"),
  html: () => import("@shikijs/langs/html"),
  ini: () => import("@shikijs/langs/ini"),
  java: () => import("@shikijs/langs/java"),
  javascript: () => import("@shikijs/langs/javascript"),
  json: () => import("@shikijs/langs/json"),
  jsonc: () => import("@shikijs/langs/jsonc"),
  jsx: () => import("@shikijs/langs/jsx"),
  kotlin: () => import("@shikijs/langs/kotlin"),
  lua: () => import("@shikijs/langs/lua"),
  make: () => import("@shikijs/langs/make"),
  markdown: () => import("@shikijs/langs/markdown"),
  nix: () => import("@shikijs/langs/nix"),
  php: () => import("@shikijs/langs/php"),
  python: () => import("@shikijs/langs/python"),
  ruby: () => import("@shikijs/langs/ruby"),
  rust: () => import("@shikijs/langs/rust"),
  scala: () => import("@shikijs/langs/scala"),
  scss: () => import("@shikijs/langs/scss"),
  sql: () => import("@shikijs/langs/sql"),
  svelte: () => import("@shikijs/langs/svelte"),
  swift: () => import("@shikijs/langs/swift"),
  toml: () => import("@shikijs/langs/toml"),
  tsx: () => import("@shikijs/langs/tsx"),
  typescript: () => import("@shikijs/langs/typescript"),
  vue: () => import("@shikijs/langs/vue"),
  xml: () => import("@shikijs/langs/xml"),
  yaml: () => import("@shikijs/langs/yaml"),
  zig: () => import("@shikijs/langs/zig"),
};

// Colours stand for roles here: the last digit is the index of the role.
const ROLE_COLOURS = ["#000000", "#000001", "#000002", "#000003", "#000004", "#000005", "#000006"] as const;
const [PLAIN, COMMENT, KEYWORD, STRING, NUMBER, FUNCTION, TYPE] = ROLE_COLOURS;

const ROLES: ThemeRegistration = {
  name: "roles",
  type: "light",
  fg: PLAIN,
  bg: "#ffffff",
  settings: [
    { settings: { foreground: PLAIN } },
    { scope: ["comment", "punctuation.definition.comment", "string.quoted.docstring"], settings: { foreground: COMMENT } },
    { scope: ["keyword", "storage", "variable.language", "keyword.operator.new", "keyword.operator.expression", "entity.name.tag"], settings: { foreground: KEYWORD } },
    { scope: ["keyword.operator", "punctuation", "meta.brace", "storage.type.function.arrow"], settings: { foreground: PLAIN } },
    { scope: ["string", "constant.character.escape", "markup.inserted", "markup.inline.raw"], settings: { foreground: STRING } },
    { scope: ["constant", "constant.numeric", "constant.language", "support.constant", "markup.deleted"], settings: { foreground: NUMBER } },
    { scope: ["entity.name.function", "support.function", "meta.function-call entity.name", "entity.other.attribute-name", "markup.heading"], settings: { foreground: FUNCTION } },
    { scope: ["entity.name.type", "entity.name.class", "entity.name.namespace", "support.type", "support.class", "entity.other.inherited-class", "storage.type.class.type", "meta.object-literal.key", "support.type.property-name", "variable.other.property.toml", "entity.name.section"], settings: { foreground: TYPE } },
    { scope: ["storage.type.rust", "storage.type.go", "keyword.type"], settings: { foreground: KEYWORD } },
  ],
};

let highlighter: Promise<HighlighterCore> | undefined;
const loading = new Map<string, Promise<void>>();

async function ready(language: string): Promise<HighlighterCore | null> {
  const load = LANGUAGES[language];
  if (!load) return null;
  highlighter ??= createHighlighterCore({ themes: [ROLES], langs: [], engine: createJavaScriptRegexEngine({ forgiving: true }) });
  const core = await highlighter;
  let pending = loading.get(language);
  if (!pending) {
    pending = load().then((module) => core.loadLanguage(module.default));
    loading.set(language, pending);
  }
  await pending;
  return core;
}

async function highlight(request: HighlightRequest): Promise<HighlightAnswer> {
  try {
    const core = await ready(request.language);
    if (!core) return { id: request.id, lines: null };
    const { tokens } = core.codeToTokens(request.code, { lang: request.language, theme: "roles" });
    const lines = tokens.map((line) => {
      const runs: Run[] = [];
      for (const token of line) {
        const role = ROLE_COLOURS.findIndex((colour) => colour === token.color?.toLowerCase());
        const last = runs.at(-1);
        const known = role < 0 ? 0 : role;
        if (last && last[1] === known) runs[runs.length - 1] = [last[0] + token.content, known];
        else runs.push([token.content, known]);
      }
      return runs;
    });
    return { id: request.id, lines };
  } catch {
    // A grammar that trips over some text leaves it plain; the text itself is never at risk.
    return { id: request.id, lines: null };
  }
}

self.addEventListener("message", (event: MessageEvent<HighlightRequest>) => {
  void highlight(event.data).then((answer) => self.postMessage(answer));
});
