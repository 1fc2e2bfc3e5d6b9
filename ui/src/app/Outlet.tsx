import { lazy } from "react";
import { useStore } from "zustand";
import { hub } from "@/data/hub";
import { EmptyState } from "@/ui/bits";
import { buttonClass } from "@/ui/Button";
import { Link, to, type Route } from "./routes";

const Home = lazy(() => import("@/features/home").then((part) => ({ default: part.Home })));
const StartingSession = lazy(() => import("@/features/home/StartingSession").then((part) => ({ default: part.StartingSession })));
const SessionScreen = lazy(() => import("@/features/session").then((part) => ({ default: part.SessionScreen })));
const HistoryPage = lazy(() => import("@/features/history").then((part) => ({ default: part.HistoryPage })));
const RunnersPage = lazy(() => import("@/features/runners").then((part) => ({ default: part.RunnersPage })));
const RunnerPage = lazy(() => import("@/features/runners").then((part) => ({ default: part.RunnerPage })));
const SettingsScreen = lazy(() => import("@/features/settings").then((part) => ({ default: part.SettingsScreen })));
const ClaimPage = lazy(() => import("@/features/pairing").then((part) => ({ default: part.ClaimPage })));
const MobileLinkPage = lazy(() => import("@/features/pairing").then((part) => ({ default: part.MobileLinkPage })));
const AutomationsPage = lazy(() => import("@/features/automations").then((part) => ({ default: part.AutomationsPage })));

/** A session that was asked for and has not reported yet has a screen of its own. */
function SessionOrStart({ id }: { id: string }) {
  const starting = useStore(hub, (state) => (state.sessions.get(id)?.live ? undefined : state.starting.get(id)));
  return starting ? <StartingSession session={starting} /> : <SessionScreen sessionId={id} />;
}

/** The screen of an address. */
export function Outlet({ route }: { route: Route }) {
  switch (route.name) {
    case "home":
      return <Home route={route} />;
    case "session":
      return <SessionOrStart id={route.id} />;
    case "history":
      return <HistoryPage route={route} />;
    case "runners":
      return <RunnersPage />;
    case "runner":
      return <RunnerPage key={route.id} id={route.id} tab={route.tab} />;
    case "settings":
      return <SettingsScreen page={route.page} />;
    case "automations":
      return <AutomationsPage />;
    case "setup-claim":
      return <ClaimPage token={route.t} />;
    case "mobile-link":
      return <MobileLinkPage id={route.id} />;
    case "sign-in":
    case "sign-up":
      return null;
    case "missing":
      return (
        <EmptyState
          className="my-auto"
          title="There is nothing at this address"
          action={
            <Link href={to.home()} className={buttonClass("outline")}>
              Go home
            </Link>
          }
        />
      );
  }
}
