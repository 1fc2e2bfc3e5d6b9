import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { Button } from "./Button";
import { IconButton } from "./IconButton";
import { cx } from "./cx";

export interface ToastOptions {
  tone?: "plain" | "fail" | "done";
  action?: { label: string; run: () => void };
  /** Same key replaces the toast that is already shown. */
  key?: string;
}
interface Shown extends ToastOptions {
  id: number;
  text: string;
}

/** How long a toast stays when nobody touches it. */
const STAY_MS = 5_000;
/** More than this at once is noise; the oldest goes. */
const MOST = 3;

const store = createStore<{ toasts: readonly Shown[] }>(() => ({ toasts: [] }));
let nextId = 0;

/** Say something in passing. Never the only place of an error that needs a decision. */
export function toast(text: string, options: ToastOptions = {}): () => void {
  const id = ++nextId;
  store.setState(({ toasts }) => ({
    toasts: [...toasts.filter((old) => options.key === undefined || old.key !== options.key), { ...options, id, text }].slice(-MOST),
  }));
  return () => dismiss(id);
}

function dismiss(id: number): void {
  store.setState(({ toasts }) => ({ toasts: toasts.filter((shown) => shown.id !== id) }));
}

function ToastView({ shown }: { shown: Shown }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return undefined;
    const timer = setTimeout(() => dismiss(shown.id), STAY_MS);
    return () => clearTimeout(timer);
  }, [held, shown.id]);
  return (
    <div
      data-state="open"
      className="ui-pop pointer-events-auto flex w-fit max-w-full items-center gap-1 rounded-card border border-line bg-surface py-1 pr-1 pl-3.5 shadow-2"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span className={cx("py-1.5 text-ui", shown.tone === "fail" && "text-fail")}>{shown.text}</span>
      {shown.action && (
        <Button
          kind="accent"
          size="sm"
          onClick={() => {
            shown.action?.run();
            dismiss(shown.id);
          }}
        >
          {shown.action.label}
        </Button>
      )}
      <IconButton icon={X} label="Dismiss" size="sm" tip={false} onClick={() => dismiss(shown.id)} />
    </div>
  );
}

/** Mounted once; a live region from the first render on. */
export function Toasts() {
  const toasts = useStore(store, (state) => state.toasts);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-4 bottom-[calc(16px+var(--safe-bottom))] z-[60] flex flex-col items-center gap-2 max-m:bottom-[calc(88px+var(--safe-bottom))]"
    >
      {toasts.map((shown) => (
        <ToastView key={shown.id} shown={shown} />
      ))}
    </div>
  );
}
