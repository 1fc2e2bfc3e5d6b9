import { useVirtualizer, type Virtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { Row } from "@/transcript/rows";
import { rememberScroll, scrollMemory } from "../models";

/** The reader has come to the very end. */
const AT_END_PX = 4;
/** A scroll this soon after a gesture is its own, momentum included, ms. */
const GESTURE_MS = 3_000;
/** Older pages are asked for this many screens before the top. */
const PRELOAD_SCREENS = 2;

export interface Scroll {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Virtualizer<HTMLDivElement, HTMLDivElement> & { containerRef: (node: HTMLElement | null) => void };
  /** The end stays in view while it grows. */
  readonly following: boolean;
  readonly jumpToEnd: () => void;
  readonly jumpTo: (rowId: string) => void;
  /** Stop following: something above asks for the reader's attention. */
  readonly hold: () => void;
}

interface Options {
  readonly sessionId: string;
  readonly rows: readonly Row[];
  readonly estimate: (row: Row) => number;
  readonly onNearTop: () => void;
  readonly showAll: boolean;
}

/**
 * The list's window and the reader's intention. Following is left at the gesture itself, before the browser has scrolled, and
 * taken up again only by reaching the end: no distance decides.
 */
export function useScroll({ sessionId, rows, estimate, onNearTop, showAll }: Options): Scroll {
  const box = useRef<HTMLDivElement>(null);
  const remembered = useRef(scrollMemory(sessionId));
  const [following, setFollowing] = useState(() => remembered.current?.following ?? true);
  const state = useRef({ following, gesture: 0, rows, onNearTop });
  state.current.rows = rows;
  state.current.onNearTop = onNearTop;

  const follow = useCallback((on: boolean) => {
    if (state.current.following === on) return;
    state.current.following = on;
    setFollowing(on);
  }, []);

  const pinned = useRef<ReadonlySet<string>>(new Set());
  const virtualizer = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => {
      const row = rows[index];
      return row ? estimate(row) : 32;
    },
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: showAll ? rows.length : 10,
    anchorTo: "end",
    // Following is decided here, by gestures; the library only keeps the reading position.
    scrollEndThreshold: -1,
    directDomUpdates: true,
    directDomUpdatesMode: "position",
    initialMeasurementsCache: measurements(remembered.current?.measurements),
    initialOffset: () => initialOffset(rows, remembered.current, estimate),
    // Heights changed and are written: the end moves in the same frame, not in the next.
    onChange: () => {
      if (state.current.following && box.current) box.current.scrollTop = box.current.scrollHeight;
    },
    rangeExtractor: (range) => {
      const start = Math.max(0, range.startIndex - range.overscan);
      const end = Math.min(range.count - 1, range.endIndex + range.overscan);
      const indexes = new Set<number>();
      for (let index = start; index <= end; index += 1) indexes.add(index);
      if (pinned.current.size > 0) state.current.rows.forEach((row, index) => pinned.current.has(row.id) && indexes.add(index));
      return [...indexes].sort((a, b) => a - b);
    },
  });
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = (item, _delta, instance) => {
    if (state.current.following) return false;
    const offset = instance.scrollOffset ?? 0;
    // Only what lies wholly above the reading position may move it.
    return item.end <= offset + 1 && instance.scrollDirection !== "backward";
  };

  const toEnd = useCallback(() => {
    const element = box.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, []);

  // Rows were added or removed: before the browser paints.
  useLayoutEffect(() => {
    if (state.current.following) toEnd();
  }, [rows, toEnd]);

  // Rows grew, pictures came, the keyboard opened: in the same frame.
  useLayoutEffect(() => {
    const element = box.current;
    const content = element?.querySelector(".log-rows");
    if (!element || !content) return undefined;
    const observer = new ResizeObserver(() => {
      // The column lines up with what stands below the list, whatever room the scroll bar takes.
      element.style.setProperty("--gutter", `${(element.offsetWidth - element.clientWidth) / 2}px`);
      if (state.current.following) toEnd();
    });
    observer.observe(content);
    observer.observe(element);
    return () => observer.disconnect();
  }, [toEnd]);

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const away = (): void => {
      if (element.scrollHeight > element.clientHeight + AT_END_PX) follow(false);
    };
    const atEnd = (): boolean => element.scrollHeight - element.scrollTop - element.clientHeight <= AT_END_PX;
    // Which way the person last moved: coming to rest near the end on the way up is not reaching it.
    let upward = false;
    let lastTop = element.scrollTop;
    const gesture = (up: boolean): void => {
      state.current.gesture = performance.now();
      upward = up;
      if (up) away();
    };
    const onWheel = (event: WheelEvent): void => {
      if (event.deltaY !== 0) gesture(event.deltaY < 0);
    };
    let touchY: number | null = null;
    const onTouchStart = (event: TouchEvent): void => {
      touchY = event.touches[0]?.clientY ?? null;
    };
    const onTouchMove = (event: TouchEvent): void => {
      const y = event.touches[0]?.clientY ?? null;
      if (touchY !== null && y !== null && Math.abs(y - touchY) > 1) gesture(y > touchY);
      touchY = y;
    };
    const onKey = (event: KeyboardEvent): void => {
      const up = event.key === "ArrowUp" || event.key === "PageUp" || event.key === "Home" || (event.key === " " && event.shiftKey);
      if (up || event.key === "ArrowDown" || event.key === "PageDown" || event.key === "End" || event.key === " ") gesture(up);
    };
    const onPointerDown = (event: PointerEvent): void => {
      // The scroll bar belongs to the box itself; text belongs to its rows.
      if (event.target !== element || event.offsetX < element.clientWidth) return;
      gesture(true);
      upward = false;
    };
    const onScroll = (): void => {
      if (element.scrollTop < element.clientHeight * PRELOAD_SCREENS) state.current.onNearTop();
      const down = element.scrollTop > lastTop;
      lastTop = element.scrollTop;
      if (!state.current.following && !upward && down && atEnd() && performance.now() - state.current.gesture < GESTURE_MS) follow(true);
    };
    const onSelection = (): void => {
      const selection = document.getSelection();
      const touched = new Set<string>();
      if (selection && !selection.isCollapsed) {
        for (const node of [selection.anchorNode, selection.focusNode]) {
          const row = (node instanceof Element ? node : node?.parentElement)?.closest<HTMLElement>("[data-row]");
          if (row && element.contains(row)) touched.add(row.dataset["row"] ?? "");
        }
        if (touched.size > 0) away();
      }
      const focused = document.activeElement?.closest<HTMLElement>("[data-row]");
      if (focused && element.contains(focused)) touched.add(focused.dataset["row"] ?? "");
      pinned.current = touched;
    };
    element.addEventListener("wheel", onWheel, { passive: true });
    element.addEventListener("touchstart", onTouchStart, { passive: true });
    element.addEventListener("touchmove", onTouchMove, { passive: true });
    element.addEventListener("keydown", onKey);
    element.addEventListener("pointerdown", onPointerDown);
    element.addEventListener("scroll", onScroll, { passive: true });
    element.addEventListener("focusin", onSelection);
    document.addEventListener("selectionchange", onSelection);
    return () => {
      element.removeEventListener("wheel", onWheel);
      element.removeEventListener("touchstart", onTouchStart);
      element.removeEventListener("touchmove", onTouchMove);
      element.removeEventListener("keydown", onKey);
      element.removeEventListener("pointerdown", onPointerDown);
      element.removeEventListener("scroll", onScroll);
      element.removeEventListener("focusin", onSelection);
      document.removeEventListener("selectionchange", onSelection);
    };
  }, [follow]);

  // The next visit begins where this one ends.
  useEffect(
    () => () => {
      const offset = virtualizer.scrollOffset ?? 0;
      const first = virtualizer.getVirtualItemForOffset(offset);
      rememberScroll(sessionId, {
        following: state.current.following,
        anchor: first ? { rowId: String(first.key), offset: offset - first.start } : null,
        measurements: virtualizer.takeSnapshot(),
      });
    },
    [sessionId, virtualizer],
  );

  const jumpToEnd = useCallback(() => {
    follow(true);
    toEnd();
    // Rows near the end are measured only now.
    requestAnimationFrame(toEnd);
  }, [follow, toEnd]);

  const jumpTo = useCallback(
    (rowId: string) => {
      const index = state.current.rows.findIndex((row) => row.id === rowId);
      if (index < 0) return;
      follow(false);
      virtualizer.scrollToIndex(index, { align: "center" });
    },
    [follow, virtualizer],
  );

  return { box, virtualizer, following, jumpToEnd, jumpTo, hold: useCallback(() => follow(false), [follow]) };
}

function measurements(stored: readonly unknown[] | undefined): VirtualItem[] {
  return (stored ?? []).filter((entry): entry is VirtualItem => typeof entry === "object" && entry !== null && "key" in entry && "size" in entry);
}

function initialOffset(rows: readonly Row[], memory: ReturnType<typeof scrollMemory>, estimate: (row: Row) => number): number {
  if (!memory || memory.following || !memory.anchor) return 0;
  const sizes = new Map(measurements(memory.measurements).map((entry) => [entry.key, entry.size]));
  let offset = 0;
  for (const row of rows) {
    if (row.id === memory.anchor.rowId) return offset + memory.anchor.offset;
    offset += sizes.get(row.id) ?? estimate(row);
  }
  return offset;
}
