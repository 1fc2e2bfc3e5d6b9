/** Terminal output as spans. Colours become roles of our own palette; what moves the cursor is applied or removed. */

import Anser from "anser";

export interface Span {
  readonly text: string;
  /** Name of an ANSI colour, or a literal `rgb()`. */
  readonly color: string | null;
  readonly background: string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

// Operating-system commands (titles, links), character-set choices and other controls that draw nothing.
// eslint-disable-next-line no-control-regex
const SILENT = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[()*+][0-9A-Za-z]|\u001b[=>78cDEHMNOZ]|\u001b\[[0-9;?]*[A-LN-Za-ln-z]|[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]/g;

/** Output as a person would have seen it: carriage returns overwrite their line. */
export function cleanOutput(text: string): string {
  const silent = text.includes("\u001b") || hasControls(text) ? text.replace(/\r\n/g, "\n").replace(SILENT, "") : text.replace(/\r\n/g, "\n");
  if (!silent.includes("\r")) return silent;
  return silent
    .split("\n")
    .map((line) => {
      const parts = line.split("\r").filter((part) => part !== "");
      return parts.at(-1) ?? "";
    })
    .join("\n");
}

function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 32 && code !== 9 && code !== 10 && code !== 13) return true;
  }
  return false;
}

export function hasAnsi(text: string): boolean {
  return text.includes("\u001b[");
}

export function stripAnsi(text: string): string {
  // eslint-disable-next-line no-control-regex
  return cleanOutput(text).replace(/\u001b\[[0-9;]*m/g, "");
}

export function spans(text: string): Span[] {
  const cleaned = cleanOutput(text);
  if (!hasAnsi(cleaned)) return cleaned === "" ? [] : [{ text: cleaned, color: null, background: null, bold: false, dim: false, italic: false, underline: false }];
  return Anser.ansiToJson(cleaned, { use_classes: true, remove_empty: true }).map((part) => ({
    text: part.content,
    color: colour(part.fg, part.fg_truecolor),
    background: colour(part.bg, part.bg_truecolor),
    bold: part.decorations.includes("bold"),
    dim: part.decorations.includes("dim"),
    italic: part.decorations.includes("italic"),
    underline: part.decorations.includes("underline"),
  }));
}

function colour(name: string | null, truecolor: string | null): string | null {
  if (!name) return null;
  if (name === "ansi-truecolor") return truecolor ? `rgb(${truecolor})` : null;
  const base = name.replace(/^ansi-(?:bright-)?/, "");
  if (NAMES.some((known) => known === base)) return `var(--ansi-${base})`;
  const index = /^ansi-palette-(\d+)$/.exec(name)?.[1];
  return index ? palette(Number(index)) : null;
}

/** The fixed part of the 256-colour table. */
function palette(index: number): string | null {
  if (index < 16) return `var(--ansi-${NAMES[index % 8] ?? "white"})`;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)})`;
}
