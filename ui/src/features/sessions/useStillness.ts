import { useMemo, useRef, useState, type FocusEvent, type HTMLAttributes, type PointerEvent } from "react";

/** A pointer that rests this long over the list no longer holds it, ms. */
const REST_MS = 2_500;

export interface Stillness {
  frozen: boolean;
  handlers: HTMLAttributes<HTMLElement>;
  hold: (held: boolean) => void;
}

/**
 * Rows must not move while a person is about to press one: while the pointer moves over the list, a row is pressed or has
 * keyboard focus, or its menu is open. A resting pointer lets go after a while, so that a parked mouse does not freeze it.
 */
export function useStillness(): Stillness {
  const [frozen, setFrozen] = useState(false);
  const reasons = useRef(new Set<string>());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const fixed = useMemo(() => {
    const set = (reason: string, on: boolean) => {
      if (on) reasons.current.add(reason);
      else reasons.current.delete(reason);
      setFrozen(reasons.current.size > 0);
    };
    return {
      handlers: {
        onPointerMove: (event: PointerEvent) => {
          if (event.pointerType === "touch") return;
          set("pointer", true);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => set("pointer", false), REST_MS);
        },
        onPointerLeave: () => {
          clearTimeout(timer.current);
          set("pointer", false);
          set("press", false);
        },
        onPointerDown: () => set("press", true),
        onPointerUp: () => set("press", false),
        onPointerCancel: () => set("press", false),
        onFocus: (event: FocusEvent) => {
          if (event.target.matches(":focus-visible")) set("focus", true);
        },
        onBlur: () => set("focus", false),
      },
      hold: (held: boolean) => set("menu", held),
    };
  }, []);
  return { frozen, ...fixed };
}
