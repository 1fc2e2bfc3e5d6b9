import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { cx } from "./cx";

export interface PickItem {
  key: string;
  /** Heading above the first item of a group. */
  group?: string | undefined;
  label: ReactNode;
  hint?: ReactNode;
  trailing?: ReactNode;
  disabled?: boolean;
}

/**
 * A text field that owns a list: the field keeps focus, arrows move the active option, Enter chooses it.
 * Filtering is the caller's, so that remote lists work the same way.
 */
export function PickList({ items, query, onQuery, onPick, label, placeholder, empty, selected, onKey, footer, inputMode = "search", busy = false, mono = false }: {
  items: readonly PickItem[];
  query: string;
  onQuery: (query: string) => void;
  onPick: (key: string) => void;
  label: string;
  placeholder?: string;
  /** Shown when there are no items. */
  empty?: ReactNode;
  selected?: string | undefined;
  /** Keys the list does not handle itself. Return true when handled. */
  onKey?: (event: KeyboardEvent<HTMLInputElement>, active: string | undefined) => boolean;
  footer?: ReactNode;
  inputMode?: "search" | "text" | "url";
  busy?: boolean;
  mono?: boolean;
}) {
  const id = useId();
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const usable = items.map((item, index) => (item.disabled ? -1 : index)).filter((index) => index >= 0);
  const current = usable.includes(active) ? active : (usable[0] ?? -1);

  useEffect(() => setActive(0), [query]);
  useEffect(() => {
    list.current?.querySelector('[data-active="true"]')?.scrollIntoView({ block: "nearest" });
  }, [current]);

  const move = (by: number) => {
    const at = usable.indexOf(current);
    const next = usable[(at + by + usable.length) % usable.length];
    if (next !== undefined) setActive(next);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (onKey?.(event, items[current]?.key)) {
      event.preventDefault();
      return;
    }
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter") {
      const item = items[current];
      if (item) onPick(item.key);
    } else return;
    event.preventDefault();
  };

  return (
    <div className="flex min-h-0 flex-col">
      <div className="border-b border-line p-1.5">
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={current >= 0 ? `${id}-${current}` : undefined}
          aria-label={label}
          aria-busy={busy || undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          autoFocus
          inputMode={inputMode}
          placeholder={placeholder}
          value={query}
          onChange={(event) => onQuery(event.target.value)}
          onKeyDown={onKeyDown}
          className={cx("h-8 w-full rounded-ctl bg-transparent px-2 text-ui outline-none pointer-coarse:h-11", mono && "font-mono text-code")}
        />
      </div>
      <div ref={list} id={`${id}-list`} role="listbox" aria-label={label} className="max-h-[min(20rem,45dvh)] min-h-0 overflow-y-auto overscroll-contain p-1">
        {items.map((item, index) => (
          <div key={item.key}>
            {item.group !== undefined && item.group !== items[index - 1]?.group && <div className="px-2 pt-2 pb-1 text-meta font-medium text-text-3">{item.group}</div>}
            <div
              id={`${id}-${index}`}
              role="option"
              aria-selected={selected === item.key}
              aria-disabled={item.disabled || undefined}
              data-active={index === current}
              onPointerMove={() => !item.disabled && setActive(index)}
              onClick={() => !item.disabled && onPick(item.key)}
              className={cx(
                "flex min-h-8 items-center gap-2.5 rounded-ctl px-2 text-ui select-none pointer-coarse:min-h-11",
                index === current && "bg-hover",
                selected === item.key && "font-medium",
                item.disabled && "opacity-45",
              )}
            >
              <span className="min-w-0 flex-1 py-1">
                <span className="block truncate">{item.label}</span>
                {item.hint && <span className="block truncate text-meta font-book text-text-3">{item.hint}</span>}
              </span>
              {item.trailing}
            </div>
          </div>
        ))}
        {items.length === 0 && <div className="px-2 py-6 text-center text-ui text-text-3">{empty}</div>}
      </div>
      {footer && <div className="border-t border-line p-1.5">{footer}</div>}
    </div>
  );
}
