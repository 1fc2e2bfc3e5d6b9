import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp, ClipboardPaste, Keyboard, type LucideIcon } from "lucide-react";
import { useSyncExternalStore, type ReactNode } from "react";
import { Icon, cx, toast } from "@/ui";
import type { Emulator } from "./emulator";

const ESC = "\u001b";

interface Key {
  readonly label: string;
  readonly name: string;
  readonly data: string;
  readonly icon?: LucideIcon;
}

const KEYS: readonly Key[] = [
  { label: "esc", name: "Escape", data: ESC },
  { label: "tab", name: "Tab", data: "\t" },
  { label: "⇧tab", name: "Shift Tab", data: `${ESC}[Z` },
  { label: "", name: "Up", data: `${ESC}[A`, icon: ArrowUp },
  { label: "", name: "Down", data: `${ESC}[B`, icon: ArrowDown },
  { label: "", name: "Left", data: `${ESC}[D`, icon: ArrowLeft },
  { label: "", name: "Right", data: `${ESC}[C`, icon: ArrowRight },
  { label: "^C", name: "Control C", data: "\u0003" },
  { label: "^D", name: "Control D", data: "\u0004" },
  { label: "^L", name: "Control L", data: "\u000c" },
  { label: "^R", name: "Control R", data: "\u0012" },
  { label: "home", name: "Home", data: `${ESC}[H` },
  { label: "end", name: "End", data: `${ESC}[F` },
  { label: "pgup", name: "Page up", data: `${ESC}[5~` },
  { label: "pgdn", name: "Page down", data: `${ESC}[6~` },
];

/** Keys that touch keyboards lack. Pressing them neither opens nor closes the keyboard. */
export function KeyBar({ emulator }: { emulator: Emulator }) {
  const sticky = useSyncExternalStore(
    (listener) => emulator.subscribe(listener),
    () => emulator.sticky,
  );
  const paste = async (): Promise<void> => {
    try {
      emulator.paste(await navigator.clipboard.readText());
    } catch {
      toast("The browser did not allow reading the clipboard.");
    }
  };
  return (
    <div className="key-bar" role="toolbar" aria-label="Terminal keys" onPointerDown={(event) => event.preventDefault()}>
      <BarKey name="Show keyboard" onPress={() => emulator.focus()}>
        <Icon icon={Keyboard} />
      </BarKey>
      {(["ctrl", "alt"] as const).map((modifier) => (
        <BarKey key={modifier} name={modifier === "ctrl" ? "Control" : "Alt"} pressed={sticky === modifier} onPress={() => emulator.setSticky(sticky === modifier ? null : modifier)}>
          {modifier}
        </BarKey>
      ))}
      {KEYS.map((key) => (
        <BarKey key={key.name} name={key.name} onPress={() => emulator.send(key.data)}>
          {key.icon ? <Icon icon={key.icon} /> : key.label}
        </BarKey>
      ))}
      <BarKey name="Paste" onPress={() => void paste()}>
        <Icon icon={ClipboardPaste} />
      </BarKey>
    </div>
  );
}

function BarKey({ name, pressed, onPress, children }: { name: string; pressed?: boolean; onPress: () => void; children: ReactNode }) {
  return (
    <button type="button" tabIndex={-1} aria-label={name} aria-pressed={pressed} className={cx("bar-key", pressed && "bar-key-on")} onClick={onPress}>
      {children}
    </button>
  );
}
