/** Terminal output as spans. Colours become roles of our own palette. */

import Anser from "anser";
import { cleanOutput, hasAnsi } from "./ansi";

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
