import { expire, signOut, watchAuth, whenPersonChanges, auth } from "@/data/auth";
import { drafts, loadDrafts } from "@/data/drafts";
import { startHub } from "@/data/hub";
import { outbox, startOutbox } from "@/data/outbox";
import { startRunners } from "@/data/runners";
import { forgetPerson } from "@/data/database";
import { startConnection, stopConnection, whenRefused } from "@/net/connection";
import { startNotifications } from "@/features/notifications";
import { startUpdates } from "@/features/update";

/** Start what runs beside the screens. Returns the function that stops it; safe to repeat. */
export function startServices(): () => void {
  let stopped = false;
  const stops: (() => void)[] = [startHub(), startRunners(), startNotifications(), startUpdates()];
  whenRefused(expire);
  whenPersonChanges(forgetEverything);
  stops.push(
    watchAuth(() => {
      void forgetEverything().then(() => auth.setState({ status: "out", person: undefined, expired: false }));
    }),
  );
  // The screens that ask over HTTP are loaded on demand, and what watches over their answers with them.
  void import("@/data/queries").then(({ watchQueries }) => {
    const stop = watchQueries();
    if (stopped) stop();
    else stops.push(stop);
  });
  void loadDrafts();
  void startOutbox().then((stop) => (stopped ? stop() : stops.push(stop)));
  startConnection();
  return () => {
    stopped = true;
    stopConnection();
    for (const stop of stops) stop();
  };
}

/** Nothing of the person stays in memory or in this browser. */
export async function forgetEverything(): Promise<void> {
  const { forgetModels } = await import("@/features/session");
  forgetModels();
  drafts.forgetAll();
  outbox.forgetAll();
  const { queryClient } = await import("@/data/queries");
  queryClient.clear();
  await forgetPerson();
}

export function leave(): Promise<void> {
  return signOut(forgetEverything);
}
