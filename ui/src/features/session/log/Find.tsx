import { ChevronDown, ChevronUp, X } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { IconButton } from "@/ui";
import { stripAnsi } from "@/transcript/ansi";
import { stringify } from "@/transcript/json";
import { plainText } from "@/transcript/message";
import type { Item } from "@/transcript/model";
import { useOpenSession, useRows } from "../context";

/** Name of the marks in the style sheet. */
const MARKS = "transcript-find";
/** Quiet time before what is on screen is marked again, ms. */
const MARK_MS = 80;

function textOf(item: Item): string {
  switch (item.kind) {
    case "user":
    case "text":
    case "thinking":
    case "custom":
      return item.text;
    case "tool":
      return `${stringify(item.args)}\n${stripAnsi(plainText(item.content))}`;
    case "notice":
      return `${item.text}\n${item.detail ?? ""}`;
    case "search":
      return item.hits.map((hit) => `${hit.title} ${hit.url}`).join("\n");
    case "image":
    case "unknown":
      return "";
  }
}

/** Finds words in everything that is loaded, folded parts too, and opens what hides them. */
export default function Find({ onJump, onClose }: { onJump: (rowId: string) => void; onClose: () => void }) {
  const { model } = useOpenSession();
  const rows = useRows(model);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(-1);
  const [hits, setHits] = useState<readonly string[]>([]);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    const words = query.trim().toLowerCase();
    setHits(words === "" ? [] : model.allItems().flatMap((item) => (textOf(item).toLowerCase().includes(words) ? item.id : [])));
  }, [query, rows, model]);

  const show = useCallback(
    (index: number) => {
      const id = hits[index];
      if (id === undefined) return;
      setAt(index);
      const item = model.item(id);
      const group = model.rows().find((row) => row.kind === "group" && row.itemIds.includes(id));
      if (group?.kind === "group" && !group.open) model.setOpen(group.id, true);
      if (item?.kind === "tool" || item?.kind === "thinking") model.setOpen(id, true);
      // What was opened has its rows now.
      requestAnimationFrame(() => onJump(id));
    },
    [hits, model, onJump],
  );
  // The newest first: that is where the reader is.
  const first = hits.length - 1;
  useEffect(() => {
    if (query.trim() !== "" && first >= 0) show(first);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only new words move the view
  }, [query]);
  useMarks(query.trim());

  const step = (by: 1 | -1): void => {
    if (hits.length > 0) show((at + by + hits.length) % hits.length);
  };
  return (
    <div className="find" role="search">
      <input
        ref={field}
        value={query}
        placeholder="Find in conversation"
        aria-label="Find in conversation"
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") step(event.shiftKey ? 1 : -1);
          else if (event.key === "Escape") {
            event.stopPropagation();
            onClose();
          } else if (event.key.toLowerCase() === "f" && (event.metaKey || event.ctrlKey)) onClose();
        }}
      />
      <span role="status" className="find-count tnum">
        {query.trim() === "" ? "" : hits.length === 0 ? `Nothing${model.hasMore ? " in what is loaded" : ""}` : `${Math.max(0, at) + 1} of ${hits.length}${model.hasMore ? "+" : ""}`}
      </span>
      <IconButton icon={ChevronUp} size="sm" label="Previous" onClick={() => step(-1)} />
      <IconButton icon={ChevronDown} size="sm" label="Next" onClick={() => step(1)} />
      <IconButton icon={X} size="sm" label="Close" tip={false} onClick={onClose} />
    </div>
  );
}

/** Marks the words on screen without touching the page's elements. */
function useMarks(query: string): void {
  useEffect(() => {
    const log = document.querySelector(".log-rows");
    if (!log || !("highlights" in CSS) || query === "") return undefined;
    const words = query.toLowerCase();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const mark = (): void => {
      timer = undefined;
      const ranges: Range[] = [];
      const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.nodeValue?.toLowerCase() ?? "";
        for (let from = text.indexOf(words); from >= 0; from = text.indexOf(words, from + words.length)) {
          const range = new Range();
          range.setStart(node, from);
          range.setEnd(node, from + words.length);
          ranges.push(range);
        }
      }
      CSS.highlights.set(MARKS, new Highlight(...ranges));
    };
    mark();
    const observer = new MutationObserver(() => {
      timer ??= setTimeout(mark, MARK_MS);
    });
    observer.observe(log, { childList: true, subtree: true, characterData: true });
    return () => {
      observer.disconnect();
      clearTimeout(timer);
      CSS.highlights.delete(MARKS);
    };
  }, [query]);
}
