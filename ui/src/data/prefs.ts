import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { isObject, load, onStored, save } from "./storage";

/** Choices of this device. `public/boot.js` reads theme, contrast, density, motion and textSize before the first paint. */
export interface Prefs {
  theme: "system" | "light" | "dark";
  contrast: "system" | "more";
  density: "compact" | "normal" | "relaxed";
  motion: "system" | "less";
  /** Percent of the browser's own size. */
  textSize: number;
  /** What Enter does in the composer with a keyboard. */
  sendKey: "enter" | "mod-enter";
  deliverAs: "followUp" | "steer";
  thinking: "folded" | "open" | "hidden";
  diff: "unified" | "split";
  grouping: "project" | "runner" | "none";
  notify: boolean;
  listWidth: number;
  inspectorWidth: number;
  drawerHeight: number;
  showAllRows: boolean;
}

export const DEFAULT_PREFS: Prefs = {
  theme: "system",
  contrast: "system",
  density: "normal",
  motion: "system",
  textSize: 100,
  sendKey: "enter",
  deliverAs: "followUp",
  thinking: "folded",
  diff: "unified",
  grouping: "project",
  notify: false,
  listWidth: 272,
  inspectorWidth: 460,
  drawerHeight: 320,
  showAllRows: false,
};

/** Keep what has the type of the default; ignore the rest. */
function checked(value: unknown): Prefs {
  const prefs: Record<string, unknown> = { ...DEFAULT_PREFS };
  if (isObject(value)) for (const [key, standard] of Object.entries(DEFAULT_PREFS)) if (typeof value[key] === typeof standard) prefs[key] = value[key];
  return prefs as unknown as Prefs;
}

export const prefs = createStore<Prefs>(() => load("prefs", checked) ?? DEFAULT_PREFS);

export function setPref<K extends keyof Prefs>(key: K, value: Prefs[K]): void {
  prefs.setState({ [key]: value } as Pick<Prefs, K>);
  save("prefs", prefs.getState());
}

export function usePref<K extends keyof Prefs>(key: K): Prefs[K] {
  return useStore(prefs, (state) => state[key]);
}

/** Put the chosen appearance on the document, now and whenever it or the system's changes. */
export function applyAppearance(): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const contrast = matchMedia("(prefers-contrast: more)");
  const apply = () => {
    const root = document.documentElement;
    const look = prefs.getState();
    const isDark = look.theme === "dark" || (look.theme === "system" && dark.matches);
    root.dataset["theme"] = isDark ? "dark" : "light";
    toggle(root, "contrast", look.contrast === "more" || contrast.matches ? "more" : undefined);
    toggle(root, "density", look.density === "normal" ? undefined : look.density);
    toggle(root, "motion", look.motion === "less" ? "less" : undefined);
    root.style.fontSize = look.textSize === 100 ? "" : `${look.textSize}%`;
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", isDark ? "#0b0a08" : "#f3f2f0");
  };
  apply();
  dark.addEventListener("change", apply);
  contrast.addEventListener("change", apply);
  const stops = [prefs.subscribe(apply), onStored("prefs", () => prefs.setState(load("prefs", checked) ?? DEFAULT_PREFS))];
  return () => {
    dark.removeEventListener("change", apply);
    contrast.removeEventListener("change", apply);
    for (const stop of stops) stop();
  };
}

function toggle(root: HTMLElement, name: string, value: string | undefined): void {
  if (value === undefined) delete root.dataset[name];
  else root.dataset[name] = value;
}
