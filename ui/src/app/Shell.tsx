import { lazy, Suspense, useEffect, useState } from "react";
import { useHub, useNeedsCount, useSession } from "@/data/hub";
import { setPref, usePref, DEFAULT_PREFS } from "@/data/prefs";
import { unread } from "@/data/unread";
import { startingTitle, titleOf } from "@/features/sessions";
import { UpdateBar } from "@/features/update";
import { Splitter } from "@/ui/Splitter";
import { useWidth } from "@/ui/media";
import { ConnectionBar } from "./ConnectionBar";
import { ErrorBoundary } from "./ErrorBoundary";
import { useHotkey } from "./hotkeys";
import { followKeyboard } from "./keyboard";
import { navigate, to, useRoute } from "./routes";
import { Outlet } from "./Outlet";
import { BottomBar } from "./BottomBar";
import { Sidebar } from "./Sidebar";
import { useTitle } from "./title";

const Middle = lazy(() => import("./Rail").then((part) => ({ default: part.Middle })));
const Palette = lazy(() => import("@/features/palette").then((part) => ({ default: part.Palette })));
const ShortcutSheet = lazy(() => import("@/features/settings/shortcuts").then((part) => ({ default: part.ShortcutSheet })));

/** How long a session must be on screen to count as read, ms. */
const READ_AFTER_MS = 1_000;
/** Limits of the list's width, px. */
const LIST_MIN = 220;
const LIST_MAX = 400;

/** Moves to the neighbour of the open session in the order the list shows. */
function step(direction: 1 | -1, needsOnly: boolean): void {
  const rows = [...document.querySelectorAll<HTMLElement>("nav [data-row]")];
  const candidates = needsOnly ? rows.filter((row) => row.querySelector('[data-status="needs"]') !== null) : rows;
  const ids = [...new Set(candidates.map((row) => row.dataset["row"]))].filter((id): id is string => id !== undefined);
  const path = location.pathname.split("/");
  const current = path[1] === "session" ? decodeURIComponent(path[2] ?? "") : "";
  const at = ids.indexOf(current);
  const next = ids[at === -1 ? (direction === 1 ? 0 : ids.length - 1) : (at + direction + ids.length) % ids.length];
  if (next !== undefined) navigate(to.session(next));
}

export function Shell() {
  const route = useRoute();
  const width = useWidth();
  const listWidth = usePref("listWidth");
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [overlay, setOverlay] = useState(false);
  const needs = useNeedsCount();
  const sessionId = route.name === "session" ? route.id : undefined;
  const row = useSession(sessionId ?? "");
  const starting = useHub((state) => (sessionId ? state.starting.get(sessionId) : undefined));
  useTitle(row ? titleOf(row) : starting ? startingTitle(starting) : undefined, needs, row?.info.isActive === true);

  useEffect(() => followKeyboard(), []);
  useEffect(() => {
    unread.setVisible(sessionId);
    if (sessionId === undefined) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(timer);
      if (document.visibilityState === "visible") timer = setTimeout(() => unread.markRead(sessionId), READ_AFTER_MS);
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
      unread.setVisible(undefined);
    };
  }, [sessionId]);

  useEffect(() => setOverlay(false), [route]);

  useHotkey(
    "Mod+K",
    () => {
      if (!palette) return setPalette(true);
      setPalette(false);
      document.querySelector<HTMLElement>("[data-composer]")?.focus();
      return undefined;
    },
    { inFields: true },
  );
  useHotkey("Mod+Shift+O", () => navigate(to.home({ new: "1" })), { inFields: true });
  useHotkey("Mod+Shift+H", () => navigate(to.history()), { inFields: true });
  useHotkey("Alt+ArrowUp", () => step(-1, false), { inFields: true });
  useHotkey("Alt+ArrowDown", () => step(1, false), { inFields: true });
  useHotkey("Alt+Shift+ArrowDown", () => step(1, true), { inFields: true });
  useHotkey("?", () => document.querySelector("[role=dialog]") === null && setHelp(true));
  useHotkey("F6", () => cycleRegions(), { inFields: true });

  const small = width === "S";
  const listOnScreen = small && route.name === "home" && route.new === undefined && route.cwd === undefined && route.prompt === undefined;
  return (
    <div className="flex h-dvh flex-col overflow-hidden bg-sunken pr-[var(--safe-right)] pb-[var(--kb)] pl-[var(--safe-left)] text-text">
      <a href="#main" className="skip-link">
        Skip to content
      </a>
      <div className="pt-[var(--safe-top)] empty:pt-0" data-bars="">
        <ConnectionBar />
        <UpdateBar />
      </div>
      <div className="flex min-h-0 flex-1">
        {(width === "L" || width === "XL") && (
          <Sidebar
            style={{ width: listWidth }}
            onSearch={() => setPalette(true)}
            edge={
              <Splitter
                label="Width of the session list"
                className="!absolute inset-y-0 right-0"
                value={listWidth}
                min={LIST_MIN}
                max={LIST_MAX}
                initial={DEFAULT_PREFS.listWidth}
                onChange={(value) => setPref("listWidth", value)}
              />
            }
          />
        )}
        {width === "M" && (
          <Suspense fallback={<div className="w-14 shrink-0 bg-sunken" />}>
            <Middle open={overlay} onOpen={setOverlay} onSearch={() => setPalette(true)} />
          </Suspense>
        )}
        {listOnScreen ? (
          <div className="flex min-w-0 flex-1 flex-col">
            <main id="main" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
              <h1 className="sr-only">Sessions</h1>
              <Sidebar full onSearch={() => setPalette(true)} />
            </main>
            <BottomBar active="sessions" needs={needs} />
          </div>
        ) : (
          <main id="main" tabIndex={-1} className="relative flex min-w-0 flex-1 flex-col bg-bg outline-none">
            <ErrorBoundary resetKey={route.name === "session" ? route.id : route.name} what="This screen">
              <Suspense fallback={<div className="flex-1" aria-busy="true" />}>
                <Outlet route={route} />
              </Suspense>
            </ErrorBoundary>
            {small && (route.name === "runners" || route.name === "home" || route.name === "settings") && (
              <BottomBar active={route.name === "home" ? "new" : route.name} needs={needs} />
            )}
          </main>
        )}
      </div>
      <Suspense fallback={null}>
        {palette && <Palette onClose={() => setPalette(false)} />}
        {help && <ShortcutSheet onClose={() => setHelp(false)} />}
      </Suspense>
    </div>
  );
}

/** F6 goes round the regions of the screen. */
function cycleRegions(): void {
  const regions = [...document.querySelectorAll<HTMLElement>('nav[aria-label="Sessions"], #main, [data-region]')];
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions[(at + 1) % regions.length];
  const target = next?.querySelector<HTMLElement>('[data-composer], a[href], button:not([disabled]), input, textarea, [tabindex="0"]') ?? next;
  target?.focus();
}

