import type { RefObject } from "react";
import { useHotkey } from "@/app/hotkeys";
import type { Row } from "@/transcript/rows";
import type { Scroll } from "./useScroll";

/** J and K walk the rows, Enter or O opens the one that has the focus, End goes to the latest. */
export function useRowKeys(box: RefObject<HTMLDivElement | null>, rows: readonly Row[], scroll: Scroll): void {
  const focused = (): number => {
    const id = document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset["row"];
    return rows.findIndex((row) => row.id === id);
  };
  const move = (by: 1 | -1): void => {
    const from = focused();
    let next = from < 0 ? (by === 1 ? firstVisible() : rows.length - 1) : from + by;
    while (rows[next] && (rows[next]?.kind === "day" || rows[next]?.kind === "working" || rows[next]?.kind === "top")) next += by;
    const row = rows[next];
    if (!row) return;
    scroll.hold();
    scroll.virtualizer.scrollToIndex(next, { align: "auto" });
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row.id)}"]`)?.focus({ preventScroll: true }));
  };
  const firstVisible = (): number => scroll.virtualizer.range?.startIndex ?? 0;
  const open = (): void => {
    const active = document.activeElement;
    if (active instanceof HTMLElement && active.matches("[data-row]")) active.querySelector<HTMLElement>("button[aria-expanded]")?.click();
    else if (active instanceof HTMLElement && active.closest("[data-row]")) active.click();
  };
  useHotkey("J", () => move(1));
  useHotkey("K", () => move(-1));
  useHotkey("O", open);
  useHotkey("End", scroll.jumpToEnd);
}
