import { lazy, Suspense, useCallback, useEffect, useMemo, useRef } from "react";
import { useRoute, setSessionParams } from "@/app/routes";
import { attach, type Attachment } from "./attach";
import { SessionProvider, type OpenSession } from "./context";
import { Dock } from "./composer/Dock";
import { SessionHeader } from "./header/SessionHeader";
import { Boundary } from "./log/Boundary";
import { Log } from "./log/Log";
import { Trouble } from "./log/Trouble";
import { keepTail, modelOf, restoreTail } from "./models";
import "./session.css";

const Side = lazy(() => import("./inspector/Side").then((part) => ({ default: part.Side })));
const Drawer = lazy(() => import("./Drawer").then((part) => ({ default: part.Drawer })));

/** One open session: header, transcript, what stands above the composer, inspector and terminals. */
export function SessionScreen({ sessionId }: { sessionId: string }) {
  return <Screen key={sessionId} sessionId={sessionId} />;
}

function Screen({ sessionId }: { sessionId: string }) {
  const model = modelOf(sessionId);
  const attachment = useRef<Attachment | null>(null);
  const composer = useRef<((text: string, mode: "insert" | "replace") => void) | null>(null);
  const jump = useRef<(() => void) | null>(null);

  useEffect(() => {
    const stopTail = keepTail(model);
    void restoreTail(model);
    const opened = attach(model);
    attachment.current = opened;
    return () => {
      attachment.current = null;
      opened.close();
      stopTail();
    };
  }, [model]);

  const openFile = useCallback(
    (path: string, line?: number) => {
      const cwd = model.facts().cwd;
      const relative = cwd && path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path.replace(/^\.\//, "");
      setSessionParams(sessionId, { p: "files", f: relative, l: line === undefined ? undefined : String(line) });
    },
    [model, sessionId],
  );

  const session = useMemo<OpenSession>(
    () => ({
      sessionId,
      model,
      attachment: () => attachment.current,
      compose: (text, mode) => composer.current?.(text, mode),
      onCompose: (listener) => {
        composer.current = listener;
      },
      openFile,
      jumpToEnd: () => jump.current?.(),
      onJumpToEnd: (listener) => {
        jump.current = listener;
      },
    }),
    [sessionId, model, openFile],
  );

  return (
    <SessionProvider value={session}>
      <Layout />
    </SessionProvider>
  );
}

function Layout() {
  const route = useRoute();
  const panel = route.name === "session" ? route.p : undefined;
  const terminal = route.name === "session" && route.t === "1";
  return (
    <div className="flex min-h-0 flex-1">
      <div className="flex min-w-0 flex-1 flex-col" data-region="conversation">
        <SessionHeader />
        <Trouble />
        <Boundary raw={null} part="The conversation">
          <Log />
        </Boundary>
        <Boundary raw={null} part="The message field">
          <Dock />
        </Boundary>
        {terminal && (
          <Boundary raw={null} part="The terminal">
            <Suspense fallback={null}>
              <Drawer />
            </Suspense>
          </Boundary>
        )}
      </div>
      {panel && (
        <Boundary raw={panel} part="The inspector">
          <Suspense fallback={null}>
            <Side panel={panel} />
          </Suspense>
        </Boundary>
      )}
    </div>
  );
}

