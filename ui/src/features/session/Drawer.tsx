import { ChevronDown, HardDrive } from "lucide-react";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { setSessionParams } from "@/app/routes";
import { useSession } from "@/data/hub";
import { DEFAULT_PREFS, setPref, usePref } from "@/data/prefs";
import { useRunner } from "@/data/runners";
import { EmptyState, IconButton, Splitter, useBackCloses, useWidth } from "@/ui";
import { useFacts, useOpenSession } from "./context";

const Terminals = lazy(() => import("@/features/terminal").then((part) => ({ default: part.Terminals })));

const MIN = 140;
const SHARE = 0.8;

/** Terminals below the transcript; on phones they are the whole screen. */
export function Drawer() {
  const { sessionId, model } = useOpenSession();
  const row = useSession(sessionId);
  const runner = useRunner(row?.info.runnerId);
  const cwd = useFacts(model, (facts) => facts.cwd) ?? row?.info.cwd ?? null;
  const width = useWidth();
  const stored = usePref("drawerHeight");
  const [room, setRoom] = useState(() => window.innerHeight * SHARE);
  useEffect(() => {
    const onResize = (): void => setRoom(window.innerHeight * SHARE);
    addEventListener("resize", onResize);
    return () => removeEventListener("resize", onResize);
  }, []);
  const close = (): void => setSessionParams(sessionId, { t: undefined }, { replace: true });
  const small = width === "S";
  useBackCloses(small, close);
  const runnerId = runner?.online ? runner.id : null;
  const place = useMemo(() => (runnerId ? { key: sessionId, runnerId, cwd } : null), [runnerId, sessionId, cwd]);
  const height = Math.min(stored, room);
  const trailing = <IconButton icon={ChevronDown} size="sm" label="Hide terminals" keys="Ctrl+`" side="top" onClick={close} />;
  const body = place ? (
    <Suspense fallback={null}>
      <Terminals key={sessionId} place={place} trailing={trailing} />
    </Suspense>
  ) : (
    <div className="flex flex-1 flex-col bg-sunken">
      <div className="flex justify-end p-1">{trailing}</div>
      <EmptyState icon={HardDrive} title="Terminals need the machine to be online." className="py-2" />
    </div>
  );
  if (small) return <section aria-label="Terminals" data-region="terminal" className="fixed inset-0 z-30 flex flex-col bg-sunken pt-[var(--safe-top)] pb-[calc(var(--safe-bottom)+var(--kb))]">{body}</section>;
  return (
    <>
      <Splitter label="Height of the terminals" vertical={false} value={height} min={MIN} max={room} initial={DEFAULT_PREFS.drawerHeight} onChange={(value) => setPref("drawerHeight", value)} sign={-1} />
      <section aria-label="Terminals" data-region="terminal" className="flex shrink-0 flex-col" style={{ height }}>
        {body}
      </section>
    </>
  );
}
