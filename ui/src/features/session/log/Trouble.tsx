import { CloudOff, Hourglass, TriangleAlert } from "lucide-react";
import { useEffect, useState } from "react";
import { navigate, to } from "@/app/routes";
import { api, messageOf, url } from "@/net/api";
import { useSession } from "@/data/hub";
import { useRunner } from "@/data/runners";
import { Banner, Button, toast } from "@/ui";
import { text, object } from "@/transcript/json";
import { useFacts, useHydration, useOpenSession } from "../context";

/** One line under the header when the conversation on screen is not the live one, and what can be done about it. */
export function Trouble() {
  const { model, attachment } = useOpenSession();
  const hydration = useHydration(model);
  if (hydration.phase === "failed") {
    const missing = /not found/i.test(hydration.reason ?? "");
    return (
      <div className="column pt-3">
        <Banner
          tone={missing ? "plain" : "fail"}
          icon={missing ? CloudOff : TriangleAlert}
          role="alert"
          actions={
            missing ? (
              <Button size="sm" onClick={() => navigate(to.home())}>
                Go home
              </Button>
            ) : hydration.retryable ? (
              <Button size="sm" onClick={() => attachment()?.retry()}>
                Try again
              </Button>
            ) : undefined
          }
        >
          {missing ? "This session doesn't exist, or it isn't yours." : (hydration.reason ?? "This conversation did not load.")}
        </Banner>
      </div>
    );
  }
  if (hydration.phase === "replay") return <Ended />;
  if (hydration.phase === "live" && !hydration.complete) {
    return (
      <div className="column pt-3">
        <Banner icon={Hourglass}>Some of this conversation is not stored. The rest appears when the session reconnects.</Banner>
      </div>
    );
  }
  return null;
}

/** Where an ended session ran: the list no longer knows, the relay's records do. */
function usePlace(sessionId: string): { runnerId: string | null; cwd: string | null } {
  const row = useSession(sessionId);
  const [stored, setStored] = useState<{ runnerId: string | null; cwd: string | null } | null>(null);
  const known = row?.info.runnerId ?? null;
  useEffect(() => {
    if (known !== null) return undefined;
    const cancel = new AbortController();
    api.get(url(["api", "sessions", sessionId]), { signal: cancel.signal }).then(
      (answer) => {
        const record = object(object(answer)?.["persisted"]) ?? object(object(answer)?.["live"]);
        if (record) setStored({ runnerId: text(record["runnerId"]), cwd: text(record["cwd"]) });
      },
      // Without the record the buttons say why they are off.
      () => undefined,
    );
    return () => cancel.abort();
  }, [sessionId, known]);
  return { runnerId: known ?? stored?.runnerId ?? null, cwd: row?.info.cwd ?? stored?.cwd ?? null };
}

function Ended() {
  const { sessionId, model } = useOpenSession();
  const place = usePlace(sessionId);
  const runner = useRunner(place.runnerId);
  const cwd = useFacts(model, (facts) => facts.cwd) ?? place.cwd;
  const runnerId = place.runnerId;
  const [busy, setBusy] = useState(false);
  const resume = async (): Promise<void> => {
    setBusy(true);
    try {
      const answer = object(await api.post(url(["api", "runners", "spawn"]), { runnerId, cwd, resumeId: sessionId }));
      const next = text(answer?.["sessionId"]);
      if (next) navigate(to.session(next));
    } catch (error) {
      toast(`It could not be continued. ${messageOf(error)}`, { tone: "fail" });
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="column pt-3">
      <Banner
        actions={
          <>
            <Button size="sm" kind="ink" busy={busy} disabled={!runnerId || !cwd || !runner?.online} title={!runnerId ? "Its machine is not known any more" : runner?.online ? undefined : "Its machine is not online"} onClick={() => void resume()}>
              Continue
            </Button>
            <Button size="sm" disabled={!cwd} onClick={() => navigate(to.home({ ...(cwd ? { cwd } : {}), ...(runnerId ? { runner: runnerId } : {}) }))}>
              New in this folder
            </Button>
          </>
        }
      >
        This session has ended. Read-only.
      </Banner>
    </div>
  );
}
