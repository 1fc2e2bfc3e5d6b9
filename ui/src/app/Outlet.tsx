import { lazy, type ComponentType } from "react";
import { useStore } from "zustand";
import { hub } from "@/data/hub";
import { EmptyState } from "@/ui/bits";
import { buttonClass } from "@/ui/Button";
import { Link, to, type Route } from "./routes";

/** A screen of its own chunk, with what it needs to ask the relay for lists. */
function page<P extends object>(load: () => Promise<ComponentType<P>>) {
  return lazy(async () => {
    const [{ Queries }, Screen] = await Promise.all([import("@/data/Queries"), load()]);
    const Page = (props: P) => (
      <Queries>
        <Screen {...props} />
      </Queries>
    );
    return { default: Page };
  });
}

const Home = page(() => import("@/features/home").then((part) => part.Home));
const StartingSession = lazy(() => import("@/features/home/StartingSession").then((part) => ({ default: part.StartingSession })));
const SessionScreen = lazy(() => import("@/features/session").then((part) => ({ default: part.SessionScreen })));
const HistoryPage = page(() => import("@/features/history").then((part) => part.HistoryPage));
const RunnersPage = page(() => import("@/features/runners").then((part) => part.RunnersPage));
const RunnerPage = page(() => import("@/features/runners").then((part) => part.RunnerPage));
const SettingsScreen = page(() => import("@/features/settings").then((part) => part.SettingsScreen));
const ClaimPage = page(() => import("@/features/pairing").then((part) => part.ClaimPage));
const MobileLinkPage = page(() => import("@/features/pairing").then((part) => part.MobileLinkPage));
const AutomationsPage = page(() => import("@/features/automations").then((part) => part.AutomationsPage));

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
