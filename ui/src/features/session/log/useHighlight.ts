import { useEffect, useState } from "react";
import { MAX_HIGHLIGHT_CHARACTERS, MAX_HIGHLIGHT_LINES, type HighlightAnswer, type HighlightRequest, type Run } from "@/transcript/highlight";

export type Lines = readonly (readonly Run[])[];

/** Answers kept. */
const CACHE = 300;
/** A worker without work for this long is let go, ms. */
const IDLE_MS = 60_000;

const cache = new Map<string, Lines | null>();
const waiting = new Map<number, { key: string; resolve: (lines: Lines | null) => void }>();
let worker: Worker | undefined;
let idle: ReturnType<typeof setTimeout> | undefined;
let serial = 0;

/** `null` where workers do not exist or are forbidden: text stays plain. */
function start(): Worker | null {
  if (worker) return worker;
  try {
    worker = new Worker(new URL("../../../transcript/highlight.worker.ts", import.meta.url), { type: "module" });
  } catch {
    return null;
  }
  worker.addEventListener("message", (event: MessageEvent<HighlightAnswer>) => {
    const entry = waiting.get(event.data.id);
    if (!entry) return;
    waiting.delete(event.data.id);
    cache.set(entry.key, event.data.lines);
    for (const key of cache.keys()) {
      if (cache.size <= CACHE) break;
      cache.delete(key);
    }
    entry.resolve(event.data.lines);
  });
  // Without a worker the text stays as it is.
  worker.addEventListener("error", stop);
  return worker;
}

function stop(): void {
  worker?.terminate();
  worker = undefined;
  for (const entry of waiting.values()) entry.resolve(null);
  waiting.clear();
}

function request(language: string, code: string): Promise<Lines | null> {
  const key = `${language}\n${code}`;
  const known = cache.get(key);
  if (known !== undefined) return Promise.resolve(known);
  clearTimeout(idle);
  idle = setTimeout(() => waiting.size === 0 && stop(), IDLE_MS);
  serial += 1;
  const id = serial;
  const running = start();
  if (!running) return Promise.resolve(null);
  return new Promise((resolve) => {
    waiting.set(id, { key, resolve });
    const message: HighlightRequest = { id, language, code };
    running.postMessage(message);
  });
}

export function tooLarge(code: string): boolean {
  if (code.length > MAX_HIGHLIGHT_CHARACTERS) return true;
  let lines = 1;
  for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines > MAX_HIGHLIGHT_LINES) return true;
  }
  return false;
}

/** Colours of `code`, once they are known. `null` while they are not, and for text without a grammar. */
export function useHighlight(code: string, language: string | null, enabled = true): Lines | null {
  const key = language === null ? "" : `${language}\n${code}`;
  const [answer, setAnswer] = useState<{ key: string; lines: Lines | null } | null>(null);
  const known = language === null ? null : cache.get(key);
  useEffect(() => {
    if (language === null || !enabled || known !== undefined || tooLarge(code)) return undefined;
    let current = true;
    void request(language, code).then((lines) => {
      if (current) applyOutsideSelection(() => current && setAnswer({ key, lines }));
    });
    return () => {
      current = false;
    };
  }, [key, enabled, known, code, language]);
  if (!enabled || language === null) return null;
  return known ?? (answer?.key === key ? answer.lines : null);
}

/** Colours replace text nodes; a selection being made would be lost. */
function applyOutsideSelection(apply: () => void): void {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed) {
    apply();
    return;
  }
  const onChange = (): void => {
    if (document.getSelection()?.isCollapsed !== false) {
      document.removeEventListener("selectionchange", onChange);
      apply();
    }
  };
  document.addEventListener("selectionchange", onChange);
}
