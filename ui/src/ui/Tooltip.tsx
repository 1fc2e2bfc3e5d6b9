import { cloneElement, useEffect, useLayoutEffect, useRef, useState, type ReactElement } from "react";
import { Kbd } from "./Kbd";

/** How long a pointer rests before a name is shown, and how long afterwards the next one needs no rest, ms. */
const REST_MS = 500;
const WARM_MS = 200;
/** Distance to the control and to the edge of the window, px. */
const GAP = 6;
const EDGE = 8;

type Side = "top" | "bottom" | "left" | "right";

/** Names a control for people who see it; the control names itself for everybody else. One element, no wrapper. */
export function Tooltip({ text, keys, side = "bottom", children }: { text: string; keys?: string | undefined; side?: Side; children: ReactElement<object> }) {
  const tip: Record<string, string | undefined> = { "data-tip": text, "data-tip-keys": keys, "data-tip-side": side };
  return cloneElement(children, tip);
}

interface Shown {
  text: string;
  keys: string | undefined;
  side: Side;
  at: DOMRect;
}

function isSide(value: string | undefined): value is Side {
  return value === "top" || value === "bottom" || value === "left" || value === "right";
}

/** Shows the tooltip of whatever is pointed at or reached with the keyboard. Mounted once. */
export function TooltipHost() {
  const [shown, setShown] = useState<Shown | undefined>();
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let target: HTMLElement | undefined;
    let hiddenAt = 0;
    const hide = () => {
      clearTimeout(timer);
      if (target) hiddenAt = Date.now();
      target = undefined;
      setShown(undefined);
    };
    const show = (element: HTMLElement) => {
      const { tip, tipKeys, tipSide } = element.dataset;
      if (!tip || !element.isConnected) return;
      setShown({ text: tip, keys: tipKeys, side: isSide(tipSide) ? tipSide : "bottom", at: element.getBoundingClientRect() });
    };
    const find = (node: EventTarget | null) => (node instanceof Element ? (node.closest<HTMLElement>("[data-tip]") ?? undefined) : undefined);
    const onOver = (event: PointerEvent) => {
      if (event.pointerType === "touch") return;
      const next = find(event.target);
      if (next === target) return;
      hide();
      // A control whose own menu is open needs no name.
      if (!next || next.dataset["state"] === "open") return;
      target = next;
      timer = setTimeout(() => show(next), Date.now() - hiddenAt < WARM_MS ? 0 : REST_MS);
    };
    const onFocus = (event: FocusEvent) => {
      const next = find(event.target);
      if (!next || next !== event.target || !next.matches(":focus-visible")) return;
      hide();
      target = next;
      timer = setTimeout(() => show(next), REST_MS);
    };
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && hide();
    document.addEventListener("pointerover", onOver);
    document.addEventListener("focusin", onFocus);
    document.addEventListener("focusout", hide);
    document.addEventListener("pointerdown", hide);
    document.addEventListener("keydown", onKey);
    addEventListener("scroll", hide, { capture: true, passive: true });
    return () => {
      hide();
      document.removeEventListener("pointerover", onOver);
      document.removeEventListener("focusin", onFocus);
      document.removeEventListener("focusout", hide);
      document.removeEventListener("pointerdown", hide);
      document.removeEventListener("keydown", onKey);
      removeEventListener("scroll", hide, { capture: true });
    };
  }, []);

  useLayoutEffect(() => {
    const own = box.current;
    if (!own || !shown) return;
    const { width, height } = own.getBoundingClientRect();
    const place = (side: Side) => {
      const { at } = shown;
      if (side === "top") return { left: at.left + (at.width - width) / 2, top: at.top - height - GAP };
      if (side === "bottom") return { left: at.left + (at.width - width) / 2, top: at.bottom + GAP };
      if (side === "left") return { left: at.left - width - GAP, top: at.top + (at.height - height) / 2 };
      return { left: at.right + GAP, top: at.top + (at.height - height) / 2 };
    };
    const opposite: Record<Side, Side> = { top: "bottom", bottom: "top", left: "right", right: "left" };
    const fits = ({ left, top }: { left: number; top: number }) => left >= EDGE && top >= EDGE && left + width <= innerWidth - EDGE && top + height <= innerHeight - EDGE;
    const wanted = place(shown.side);
    const other = place(opposite[shown.side]);
    const vertical = shown.side === "top" || shown.side === "bottom";
    // Along the control's edge it is pushed into view; across it, it flips.
    const across = (spot: typeof wanted) => fits(vertical ? { ...spot, left: EDGE } : { ...spot, top: EDGE });
    const spot = across(wanted) || !across(other) ? wanted : other;
    own.style.left = `${Math.round(Math.min(Math.max(EDGE, spot.left), innerWidth - width - EDGE))}px`;
    own.style.top = `${Math.round(Math.min(Math.max(EDGE, spot.top), innerHeight - height - EDGE))}px`;
  }, [shown]);

  if (!shown) return null;
  return (
    <div ref={box} aria-hidden="true" data-state="open" className="ui-pop pointer-events-none fixed top-0 left-0 z-[70] flex w-max max-w-72 items-center gap-2 rounded-ctl bg-ink px-2 py-1 text-meta text-on-ink shadow-1">
      {shown.text}
      {shown.keys && <Kbd keys={shown.keys} inverse />}
    </div>
  );
}
