import { plainText } from "@/transcript/message";
import { stripAnsi } from "@/transcript/ansi";
import type { Item } from "@/transcript/model";
import type { SessionModel } from "@/transcript/session";
import { describe } from "../cards/describe";

/** Longest output written for one tool; the rest is left out visibly. */
const OUTPUT_LIMIT = 20_000;

/** The conversation as a Markdown file. */
export function exportMarkdown(name: string, model: SessionModel): void {
  const cwd = model.facts().cwd;
  const text = [`# ${name}\n`, ...model.allItems().map((item) => section(item, cwd)).filter((part) => part !== "")].join("\n\n");
  const address = URL.createObjectURL(new Blob([text, "\n"], { type: "text/markdown" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${name.replace(/[^\p{L}\p{N} ._-]+/gu, "-").slice(0, 80) || "session"}.md`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function section(item: Item, cwd: string | null): string {
  switch (item.kind) {
    case "user":
      return `## You\n\n${item.text}${item.images.length > 0 ? `\n\n_${item.images.length} picture(s)_` : ""}`;
    case "text":
      return item.text;
    case "thinking":
      return "";
    case "tool": {
      const line = describe(item, cwd);
      const output = stripAnsi(plainText(item.content));
      const shown = output.length > OUTPUT_LIMIT ? `${output.slice(0, OUTPUT_LIMIT)}\n… ${output.length - OUTPUT_LIMIT} more characters` : output;
      return `**${line.verb} ${line.mono ? `\`${line.object}\`` : line.object}**${shown === "" ? "" : `\n\n${fenced(shown)}`}`;
    }
    case "notice":
      return `_${item.text}_`;
    case "custom":
      return item.text;
    case "search":
      return item.hits.map((hit) => `- [${hit.title}](${hit.url})`).join("\n");
    case "image":
      return "_Picture_";
    case "unknown":
      return "";
  }
}

/** A fence longer than any run of backticks inside. */
export function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
