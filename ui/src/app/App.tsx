import { lazy, Suspense, useEffect } from "react";
import { auth, checkSession, useAuth } from "@/data/auth";
import { ErrorBoundary } from "./ErrorBoundary";
import { Logo } from "./Logo";
import { navigate, safeNext, to, useRoute, type Route } from "./routes";

const AuthScreen = lazy(() => import("@/features/auth").then((part) => ({ default: part.AuthScreen })));
const Workspace = lazy(() => import("./Workspace").then((part) => ({ default: part.Workspace })));

/** How often an unreachable relay is asked again while somebody looks, ms. */
const RETRY_MS = 5_000;

export function App() {
  const { status } = useAuth();
  const route = useRoute();

  useEffect(() => {
    void checkSession();
  }, []);

  useEffect(() => {
    if (status !== "unreachable") return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && void checkSession(), RETRY_MS);
    return () => clearInterval(timer);
  }, [status]);

  const onAuthPage = route.name === "sign-in" || route.name === "sign-up";
  useEffect(() => {
    if (status === "in" && onAuthPage) navigate(safeNext(route.next), { replace: true });
    if (status === "out" && !onAuthPage) navigate(to.signIn(`${location.pathname}${location.search}`), { replace: true });
  }, [status, onAuthPage, route]);

  return (
    <ErrorBoundary>
      <Suspense fallback={<Quiet />}>{screen(status, route)}</Suspense>
    </ErrorBoundary>
  );
}

function screen(status: ReturnType<typeof auth.getState>["status"], route: Route) {
  if (status === "checking") return <Quiet />;
  if (status === "in") return <Workspace />;
  // The address stays: it is where to go once there is somebody to ask.
  if (status === "unreachable") return <AuthScreen mode={route.name === "sign-up" ? "sign-up" : "sign-in"} />;
  if (route.name !== "sign-in" && route.name !== "sign-up") return <Quiet />;
  return <AuthScreen mode={route.name} />;
}

/** Nothing but the mark, while the first question is out: no form flashes at people who are signed in. */
function Quiet() {
  return (
    <div className="grid h-dvh place-items-center bg-bg text-text-3" aria-busy="true">
      <Logo size={36} className="pulse" />
      <span className="sr-only">Loading</span>
    </div>
  );
}
