import { ChevronDown, ChevronUp, RotateCcw, Search, X } from "lucide-react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Button, IconButton, Spinner, useTouch } from "@/ui";
import { emulatorOf, rethemeAll, type Emulator, type TerminalPhase } from "./emulator";
import { KeyBar } from "./KeyBar";
import "./terminal.css";

/** Movement of a finger that scrolls one line, px. */
const LINE_PX = 18;

export function useEmulatorPhase(emulator: Emulator): TerminalPhase {
  return useSyncExternalStore(
    (listener) => emulator.subscribe(listener),
    () => emulator.phase,
  );
}

/** The emulator of one terminal, filling its place. */
export default function Screen({ id, onRestart, onClose }: { id: string; onRestart: () => void; onClose: () => void }) {
  const emulator = emulatorOf(id);
  const place = useRef<HTMLDivElement>(null);
  const phase = useEmulatorPhase(emulator);
  const touch = useTouch();
  const [finding, setFinding] = useState(false);
  useEffect(() => {
    const parent = place.current;
    if (!parent) return undefined;
    emulator.mount(parent);
    if (!matchMedia("(pointer: coarse)").matches) emulator.focus();
    const observer = new ResizeObserver(() => emulator.fit());
    observer.observe(parent);
    const theme = new MutationObserver(rethemeAll);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "data-contrast"] });
    return () => {
      observer.disconnect();
      theme.disconnect();
      emulator.unmount();
    };
  }, [emulator]);
  useTouchScroll(place, emulator);
  return (
    <div className="terminal">
      {finding && (
        <Find
          emulator={emulator}
          onClose={() => {
            setFinding(false);
            emulator.endFind();
            emulator.focus();
          }}
        />
      )}
      <div
        ref={place}
        className="terminal-place"
        role="group"
        aria-label="Terminal. Ctrl Shift Escape leaves it."
        data-dim={phase.kind !== "connected" || undefined}
        onKeyDown={(event) => {
          if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === "f") {
            event.preventDefault();
            setFinding(true);
          }
        }}
      />
      {phase.kind !== "connected" && <Status phase={phase} onRestart={onRestart} onClose={onClose} />}
      {!finding && !touch && <IconButton icon={Search} size="sm" label="Find" keys="Ctrl+Shift+F" side="left" className="terminal-find-button" onClick={() => setFinding(true)} />}
      {touch && <KeyBar emulator={emulator} />}
    </div>
  );
}

function Status({ phase, onRestart, onClose }: { phase: Exclude<TerminalPhase, { kind: "connected" }>; onRestart: () => void; onClose: () => void }) {
  switch (phase.kind) {
    case "starting":
      return (
        <div className="terminal-status" role="status">
          <Spinner size={14} /> Starting
        </div>
      );
    case "reconnecting":
      return (
        <div className="terminal-status" role="status">
          <Spinner size={14} /> Reconnecting. Keys are not sent.
        </div>
      );
    case "exited":
    case "failed":
      return (
        <div className="terminal-status" role="status">
          <span className="min-w-0 flex-1">{phase.kind === "failed" ? phase.reason : phase.code === -1 ? "Ended" : `Exited with code ${phase.code}`}</span>
          <Button size="sm" icon={RotateCcw} onClick={onRestart}>
            New terminal
          </Button>
          <Button size="sm" kind="quiet" onClick={onClose}>
            Close
          </Button>
        </div>
      );
  }
}

function Find({ emulator, onClose }: { emulator: Emulator; onClose: () => void }) {
  const [words, setWords] = useState("");
  const [missing, setMissing] = useState(false);
  const find = (direction: "next" | "previous", value = words): void => setMissing(value !== "" && !emulator.find(value, direction));
  return (
    <div className="terminal-find" role="search">
      <input
        autoFocus
        value={words}
        placeholder="Find"
        aria-label="Find in terminal"
        aria-invalid={missing}
        onChange={(event) => {
          setWords(event.target.value);
          find("previous", event.target.value);
        }}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") find(event.shiftKey ? "next" : "previous");
          if (event.key === "Escape") {
            event.stopPropagation();
            onClose();
          }
        }}
      />
      <IconButton icon={ChevronUp} size="sm" label="Previous" onClick={() => find("previous")} />
      <IconButton icon={ChevronDown} size="sm" label="Next" onClick={() => find("next")} />
      <IconButton icon={X} size="sm" label="Close" tip={false} onClick={onClose} />
    </div>
  );
}

/** Fingers scroll the past, with momentum; two fingers change the size of the letters. */
function useTouchScroll(place: React.RefObject<HTMLDivElement | null>, emulator: Emulator): void {
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    let last: { y: number; at: number } | null = null;
    let rest = 0;
    let speed = 0;
    let frame = 0;
    let spread: number | null = null;
    const distance = (touches: TouchList): number => {
      const [a, b] = [touches[0], touches[1]];
      return a && b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0;
    };
    const scroll = (pixels: number): void => {
      rest += pixels;
      const lines = Math.trunc(rest / LINE_PX);
      if (lines !== 0) {
        rest -= lines * LINE_PX;
        emulator.scrollBy(-lines);
      }
    };
    const onStart = (event: TouchEvent): void => {
      cancelAnimationFrame(frame);
      spread = event.touches.length === 2 ? distance(event.touches) : null;
      const touch = event.touches[0];
      last = touch ? { y: touch.clientY, at: event.timeStamp } : null;
      speed = 0;
      rest = 0;
    };
    const onMove = (event: TouchEvent): void => {
      if (spread !== null && event.touches.length === 2) {
        const now = distance(event.touches);
        if (Math.abs(now - spread) > 28) {
          emulator.zoom(now > spread ? 1 : -1);
          spread = now;
        }
        event.preventDefault();
        return;
      }
      const touch = event.touches[0];
      if (!touch || !last) return;
      const moved = touch.clientY - last.y;
      const elapsed = Math.max(1, event.timeStamp - last.at);
      speed = moved / elapsed;
      scroll(moved);
      last = { y: touch.clientY, at: event.timeStamp };
      event.preventDefault();
    };
    const onEnd = (): void => {
      const step = (): void => {
        speed *= 0.95;
        scroll(speed * 16);
        if (Math.abs(speed) > 0.02) frame = requestAnimationFrame(step);
      };
      if (Math.abs(speed) > 0.2) frame = requestAnimationFrame(step);
      last = null;
    };
    element.addEventListener("touchstart", onStart, { passive: true });
    element.addEventListener("touchmove", onMove, { passive: false });
    element.addEventListener("touchend", onEnd);
    element.addEventListener("touchcancel", onEnd);
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener("touchstart", onStart);
      element.removeEventListener("touchmove", onMove);
      element.removeEventListener("touchend", onEnd);
      element.removeEventListener("touchcancel", onEnd);
    };
  }, [place, emulator]);
}
