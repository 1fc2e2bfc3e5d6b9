import { useRef, useState, type PointerEvent, type ReactNode } from "react";
import { cx } from "@/ui/cx";

/** Width of the revealed actions, px. */
const OPEN_PX = 144;
/** Movement before a touch counts as a swipe, px. */
const START_PX = 12;

/** The row that is open at the moment: touching another closes it. */
let closeOpen: (() => void) | undefined;

/** A touch row that slides to the left and shows actions behind it. Scrolling up and down stays the browser's. */
export function SwipeActions({ actions, children }: { actions: ReactNode; children: ReactNode }) {
  const [shift, setShift] = useState(0);
  const [dragging, setDragging] = useState(false);
  const start = useRef<{ x: number; y: number; from: number; id: number } | undefined>(undefined);
  const swallowed = useRef(false);

  const settle = (open: boolean) => {
    setDragging(false);
    setShift(open ? -OPEN_PX : 0);
    if (open) {
      if (closeOpen) closeOpen();
      closeOpen = () => setShift(0);
    }
  };
  const onDown = (event: PointerEvent) => {
    if (event.pointerType !== "touch") return;
    if (shift === 0) closeOpen?.();
    swallowed.current = false;
    start.current = { x: event.clientX, y: event.clientY, from: shift, id: event.pointerId };
  };
  const onMove = (event: PointerEvent) => {
    const from = start.current;
    if (!from) return;
    const dx = event.clientX - from.x;
    const dy = event.clientY - from.y;
    if (!dragging) {
      if (Math.abs(dx) < START_PX || Math.abs(dx) < Math.abs(dy) * 1.5) return;
      event.currentTarget.setPointerCapture(from.id);
      swallowed.current = true;
      setDragging(true);
    }
    setShift(Math.min(0, Math.max(-OPEN_PX * 1.15, from.from + dx)));
  };
  const onEnd = () => {
    if (start.current && dragging) settle(shift < -OPEN_PX / 2);
    start.current = undefined;
  };

  return (
    <div className="relative overflow-hidden" style={{ touchAction: "pan-y" }}>
      {shift < 0 && (
        <div className="absolute inset-y-0 right-0 flex" style={{ width: OPEN_PX }} onClick={() => settle(false)}>
          {actions}
        </div>
      )}
      <div
        className={cx("relative bg-sunken", !dragging && "transition-transform")}
        style={shift === 0 ? undefined : { transform: `translateX(${shift}px)` }}
        onPointerDown={onDown}
        onPointerMove={onMove}
        onPointerUp={onEnd}
        onPointerCancel={onEnd}
        onClickCapture={(event) => {
          if (!swallowed.current && shift === 0) return;
          event.preventDefault();
          event.stopPropagation();
          if (!swallowed.current) settle(false);
          swallowed.current = false;
        }}
      >
        {children}
      </div>
    </div>
  );
}
