import { useCallback, useEffect, useState } from "react";
import { runExec } from "@/data/answers";
import { messageOf } from "@/net/api";
import { toast } from "@/ui";
import { useFacts, useOpenSession } from "../context";

/** When the agent has not stopped by then, stronger means are offered. */
const STUCK_MS = 5_000;

export type StopState = "idle" | "running" | "stopping" | "stuck";

/** Stopping is shown at once and over only when the agent says so. */
export function useStop(): { state: StopState; stop: () => void; restart: () => void } {
  const { model, sessionId } = useOpenSession();
  const active = useFacts(model, (facts) => facts.active);
  const [asked, setAsked] = useState<"no" | "asked" | "stuck">("no");
  useEffect(() => {
    if (!active) setAsked("no");
  }, [active]);
  useEffect(() => {
    if (asked !== "asked") return undefined;
    const timer = setTimeout(() => setAsked("stuck"), STUCK_MS);
    return () => clearTimeout(timer);
  }, [asked]);
  const stop = useCallback(() => {
    setAsked("asked");
    runExec(sessionId, "abort").catch((error: unknown) => {
      setAsked("no");
      toast(`Not stopped. ${messageOf(error)}`, { tone: "fail" });
    });
  }, [sessionId]);
  const restart = useCallback(() => {
    runExec(sessionId, "restart").catch((error: unknown) => toast(`Not restarted. ${messageOf(error)}`, { tone: "fail" }));
  }, [sessionId]);
  const state: StopState = !active ? "idle" : asked === "asked" ? "stopping" : asked === "stuck" ? "stuck" : "running";
  return { state, stop, restart };
}
