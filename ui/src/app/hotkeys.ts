import { useEffect, useRef } from "react";

/** `Mod` is ⌘ on Apple systems and Ctrl elsewhere. */
export const APPLE = /Mac|iPhone|iPad/.test(typeof navigator === "undefined" ? "" : navigator.platform);

export interface Hotkey {
  keys: string;
  run: (event: KeyboardEvent) => void;
  /** Also while a text field has focus. */
  inFields: boolean;
}

const active = new Set<{ current: Hotkey }>();
const SYMBOLS: Record<string, string> = { Mod: APPLE ? "⌘" : "Ctrl", Shift: APPLE ? "⇧" : "Shift", Alt: APPLE ? "⌥" : "Alt", Ctrl: APPLE ? "⌃" : "Ctrl", ArrowUp: "↑", ArrowDown: "↓", Enter: "↵", Escape: "Esc", Backquote: "`" };

/** "Mod+Shift+O" as this platform writes it. */
export function spell(keys: string): string {
  return keys
    .split("+")
    .map((key) => SYMBOLS[key] ?? key)
    .join(APPLE ? "" : "+");
}

export function matches(keys: string, event: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): boolean {
  const parts = keys.split("+");
  const key = parts.pop() ?? "";
  const mod = parts.includes("Mod");
  const control = parts.includes("Ctrl") || (mod && !APPLE);
  const meta = mod && APPLE;
  if (event.ctrlKey !== control || event.metaKey !== meta || event.altKey !== parts.includes("Alt")) return false;
  // "?" and the like need Shift on some layouts; only letters and named keys insist on it.
  if ((key.length > 1 || /[a-z0-9]/i.test(key)) && event.shiftKey !== parts.includes("Shift")) return false;
  if (key === "Backquote") return event.code === "Backquote";
  // With modifiers the letter is taken from the key's place when the layout gives another sign (Alt on Apple systems).
  return event.key.toLowerCase() === key.toLowerCase() || (parts.length > 0 && event.code === `Key${key.toUpperCase()}`);
}

export function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type)));
}

function onKeyDown(event: KeyboardEvent): void {
  // A text being composed owns every key, also Safari's late one.
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  const inField = isField(event.target);
  // The newest mounted listener is the topmost layer.
  for (const entry of [...active].reverse()) {
    const { keys, run, inFields } = entry.current;
    if ((inField && !inFields) || !matches(keys, event)) continue;
    event.preventDefault();
    run(event);
    return;
  }
}

if (typeof document !== "undefined") document.addEventListener("keydown", onKeyDown);

/** While mounted, `keys` runs `run`. */
export function useHotkey(keys: string, run: (event: KeyboardEvent) => void, options: { inFields?: boolean; enabled?: boolean } = {}): void {
  const entry = useRef<Hotkey>({ keys, run, inFields: options.inFields === true });
  entry.current = { keys, run, inFields: options.inFields === true };
  const enabled = options.enabled !== false;
  useEffect(() => {
    if (!enabled) return undefined;
    active.add(entry);
    return () => {
      active.delete(entry);
    };
  }, [enabled]);
}
