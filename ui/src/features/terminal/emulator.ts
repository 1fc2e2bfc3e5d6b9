import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { separateSocket } from "@/net/manager";
import { load, save } from "@/data/storage";
import { number, object, text } from "@/transcript/json";
import { copyText } from "@/ui/bits";
import { decode, encode } from "./bytes";
import { terminalTheme } from "./theme";

/** Lines kept for scrolling back. */
const SCROLLBACK = 10_000;
/** Quiet time before a new size is told, ms. */
const RESIZE_MS = 100;
const FONT_MIN = 9;
const FONT_MAX = 24;
const FONT_STANDARD = 13;
/** Output waiting for the emulator beyond this is drawn at once instead of frame by frame. */
const BATCH_BYTES = 256 * 1024;

export type TerminalPhase =
  | { readonly kind: "starting" }
  | { readonly kind: "connected" }
  | { readonly kind: "reconnecting" }
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "failed"; readonly reason: string };

/** One emulator and its connection. Lives as long as its tab, shown or not, so that nothing is lost in the background. */
export class Emulator {
  readonly id: string;
  readonly element = document.createElement("div");
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #search = new SearchAddon();
  readonly #close: () => void;
  readonly #socket: ReturnType<typeof separateSocket>["socket"];
  readonly #listeners = new Set<() => void>();
  #phase: TerminalPhase = { kind: "starting" };
  #opened = false;
  /** What the relay repeats is output of the past: the emulator's replies to it must not be sent. */
  #replaying = true;
  #resizeTimer: ReturnType<typeof setTimeout> | undefined;
  #sentSize = "";
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #frame: number | undefined;
  /** Modifier of the key bar: applies to the next key. */
  sticky: "ctrl" | "alt" | null = null;
  bell = false;

  constructor(id: string) {
    this.id = id;
    this.element.className = "terminal-host";
    const mono = getComputedStyle(document.documentElement).getPropertyValue("--font-code").trim();
    this.#terminal = new Terminal({
      scrollback: SCROLLBACK,
      fontFamily: mono || "monospace",
      fontSize: load("terminal.font", (value) => number(value) ?? undefined) ?? FONT_STANDARD,
      lineHeight: 1.25,
      cursorBlink: true,
      cursorStyle: "bar",
      theme: terminalTheme(),
      allowProposedApi: true,
      macOptionIsMeta: true,
      screenReaderMode: load("terminal.reader", (value) => (typeof value === "boolean" ? value : undefined)) ?? false,
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.loadAddon(this.#search);
    this.#terminal.loadAddon(new WebLinksAddon((_event, address) => /^https?:/.test(address) && window.open(address, "_blank", "noopener,noreferrer")));
    this.#terminal.attachCustomKeyEventHandler((event) => this.#onKey(event));
    this.#terminal.onData((data) => this.#onData(data));
    this.#terminal.onBell(() => {
      this.bell = true;
      this.#notify();
    });
    const { socket, close } = separateSocket("/terminal", { terminalId: id }, true);
    this.#socket = socket;
    this.#close = close;
    socket.on("connect", () => {
      // The relay repeats the recent output to every viewer that attaches.
      this.#terminal.reset();
      this.#replaying = true;
      this.#sentSize = "";
      this.#set({ kind: "starting" });
      this.#sendSize();
    });
    socket.on("disconnect", () => {
      if (this.#phase.kind === "connected" || this.#phase.kind === "starting") this.#set({ kind: "reconnecting" });
    });
    socket.on("terminal_data", (payload: unknown) => {
      const data = text(object(payload)?.["data"]);
      if (data !== null) this.#write(decode(data));
    });
    const ready = (): void => {
      this.#flush();
      this.#terminal.write("", () => {
        this.#replaying = false;
      });
      if (this.#phase.kind === "starting" || this.#phase.kind === "reconnecting") this.#set({ kind: "connected" });
      this.#sendSize();
    };
    socket.on("terminal_connected", ready);
    socket.on("terminal_ready", ready);
    socket.on("terminal_exit", (payload: unknown) => {
      this.#flush();
      this.#set({ kind: "exited", code: number(object(payload)?.["exitCode"]) ?? -1 });
    });
    socket.on("terminal_error", (payload: unknown) => {
      this.#set({ kind: "failed", reason: text(object(payload)?.["message"]) ?? "The terminal failed." });
    });
    socket.on("connect_error", (error) => {
      if (!socket.active) this.#set({ kind: "failed", reason: error.message });
    });
  }

  get phase(): TerminalPhase {
    return this.#phase;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #set(phase: TerminalPhase): void {
    this.#phase = phase;
    this.#terminal.options.disableStdin = phase.kind === "exited" || phase.kind === "failed";
    this.#notify();
  }

  /** Put the emulator on screen. */
  mount(parent: HTMLElement): void {
    parent.append(this.element);
    if (!this.#opened) {
      this.#opened = true;
      this.#terminal.open(this.element);
      // Phones lose the context whenever they like, and their screens are small enough to do without.
      if (!matchMedia("(pointer: coarse)").matches) void this.#accelerate();
    }
    this.bell = false;
    this.fit();
  }

  unmount(): void {
    this.element.remove();
  }

  /** The graphics processor draws faster; where there is none, or it is lost, the emulator's own way stays. */
  async #accelerate(): Promise<void> {
    try {
      const { WebglAddon } = await import("@xterm/addon-webgl");
      const addon = new WebglAddon();
      addon.onContextLoss(() => addon.dispose());
      this.#terminal.loadAddon(addon);
    } catch {
      // Drawn without it.
    }
  }

  focus(): void {
    this.#terminal.focus();
  }

  fit(): void {
    if (!this.element.isConnected || this.element.offsetParent === null || this.element.clientHeight < 20) return;
    this.#fit.fit();
    clearTimeout(this.#resizeTimer);
    this.#resizeTimer = setTimeout(() => this.#sendSize(), RESIZE_MS);
  }

  #sendSize(): void {
    if (!this.#opened || !this.#socket.connected || this.element.offsetParent === null) return;
    const { cols, rows } = this.#terminal;
    const size = `${cols}x${rows}`;
    if (size === this.#sentSize) return;
    this.#sentSize = size;
    this.#socket.emit("terminal_resize", { terminalId: this.id, cols, rows });
  }

  #write(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > BATCH_BYTES || document.visibilityState === "hidden") {
      this.#flush();
      return;
    }
    this.#frame ??= requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    const parts = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const part of parts) this.#terminal.write(part);
  }

  #onData(data: string): void {
    if (this.#replaying) return;
    this.send(this.sticky === null ? data : this.#modified(data));
  }

  #modified(data: string): string {
    const modifier = this.sticky;
    this.sticky = null;
    this.#notify();
    if (modifier === "alt") return `\u001b${data}`;
    const code = data.length === 1 ? data.toUpperCase().charCodeAt(0) : 0;
    return code >= 64 && code < 96 ? String.fromCharCode(code - 64) : data;
  }

  /** Keys for the program; dropped while nobody would get them. */
  send(data: string): void {
    if (this.#phase.kind !== "connected" || !this.#socket.connected) return;
    this.#socket.emit("terminal_input", { terminalId: this.id, data: encode(data) });
  }

  setSticky(modifier: "ctrl" | "alt" | null): void {
    this.sticky = modifier;
    this.#notify();
  }

  paste(data: string): void {
    this.#terminal.paste(data);
  }

  #onKey(event: KeyboardEvent): boolean {
    if (event.type !== "keydown") return true;
    const mod = event.ctrlKey || event.metaKey;
    // Keys of the app stay the app's.
    if (event.ctrlKey && event.code === "Backquote") return false;
    if (event.ctrlKey && event.shiftKey && event.key === "Escape") {
      this.#terminal.blur();
      document.querySelector<HTMLElement>("[data-composer]")?.focus();
      return false;
    }
    const key = event.key.toLowerCase();
    if (mod && key === "c" && (this.#terminal.hasSelection() || event.shiftKey)) {
      void copyText(this.#terminal.getSelection());
      this.#terminal.clearSelection();
      event.preventDefault();
      return false;
    }
    // The browser's own paste event follows, which the emulator takes.
    if (mod && key === "v") return false;
    if (mod && !event.shiftKey && (event.key === "+" || event.key === "=" || event.key === "-" || event.key === "0")) {
      event.preventDefault();
      this.zoom(event.key === "0" ? 0 : event.key === "-" ? -1 : 1);
      return false;
    }
    return true;
  }

  zoom(step: -1 | 0 | 1): void {
    const size = step === 0 ? FONT_STANDARD : Math.min(FONT_MAX, Math.max(FONT_MIN, (this.#terminal.options.fontSize ?? FONT_STANDARD) + step));
    this.#terminal.options.fontSize = size;
    save("terminal.font", size);
    this.fit();
  }

  retheme(): void {
    this.#terminal.options.theme = terminalTheme();
  }

  find(words: string, direction: "next" | "previous"): boolean {
    return direction === "next" ? this.#search.findNext(words) : this.#search.findPrevious(words);
  }
  endFind(): void {
    this.#search.clearDecorations();
    this.#terminal.clearSelection();
  }

  scrollBy(lines: number): void {
    // Programs that own the screen get arrows; otherwise the past scrolls.
    if (this.#terminal.buffer.active.type === "alternate") this.send((lines < 0 ? "\u001b[A" : "\u001b[B").repeat(Math.min(10, Math.abs(lines))));
    else this.#terminal.scrollLines(lines);
  }

  /** End the program on the machine. */
  kill(): void {
    this.#socket.emit("kill_terminal", { terminalId: this.id });
  }

  dispose(): void {
    clearTimeout(this.#resizeTimer);
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#close();
    this.#terminal.dispose();
    this.element.remove();
    this.#listeners.clear();
  }
}

const emulators = new Map<string, Emulator>();

/** The emulator of a terminal; made when it is first shown. */
export function emulatorOf(id: string): Emulator {
  let emulator = emulators.get(id);
  if (!emulator) emulators.set(id, (emulator = new Emulator(id)));
  return emulator;
}

export function closeEmulator(id: string, kill: boolean): void {
  const emulator = emulators.get(id);
  if (!emulator) return;
  emulators.delete(id);
  if (kill) emulator.kill();
  // The wish to end must leave before the connection does.
  setTimeout(() => emulator.dispose(), kill ? 200 : 0);
}

export function rethemeAll(): void {
  for (const emulator of emulators.values()) emulator.retheme();
}
