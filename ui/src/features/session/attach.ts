import { outbox } from "@/data/outbox";
import { setAttached, viewer } from "@/net/viewer";
import type { HydrationFailure } from "@/protocol/generated";
import type { Ask, SessionModel } from "@/transcript/session";
import { notePresence } from "./presence";

/**
 * The one place that tells the relay which session this tab looks at, and hands its frames to the session's model. A switch
 * that brings nothing is repeated without cursor, then given up with a way to try again.
 */

/** Without any progress: repeat after the first, again after the second, then give up. */
const PATIENCE_MS = [4_000, 8_000, 15_000] as const;
/** Messages of one older page. */
const PAGE = 50;
/** A page that does not come. */
const PAGE_MS = 10_000;
/** A session that reconnects to the relay may take this long before its stored copy is offered. */
const COMES_BACK_MS = 30_000;

const FAILURES: Record<HydrationFailure, string> = {
  not_found: "Session not found",
  offline: "The session's machine is offline. The conversation appears when it reconnects.",
  timeout: "This conversation did not load in time.",
  internal: "The relay could not read this conversation.",
};

let generation = 0;

export interface Attachment {
  /** Ask again from scratch. */
  retry: () => void;
  loadOlder: () => void;
  close: () => void;
}

export function attach(model: SessionModel): Attachment {
  const { sessionId } = model;
  let mine = 0;
  let attempt = 0;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  let comesBack: ReturnType<typeof setTimeout> | undefined;
  let pageTimer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const watch = (): void => {
    clearTimeout(watchdog);
    const patience = PATIENCE_MS[Math.min(attempt, PATIENCE_MS.length - 1)] ?? 15_000;
    watchdog = setTimeout(() => {
      if (model.hydration().phase !== "attaching" || !viewer.connected()) return;
      attempt += 1;
      if (attempt < PATIENCE_MS.length) ask(false);
      else model.fail("This conversation did not load.", true);
    }, patience);
  };

  const ask = (withCursor: boolean): void => {
    generation += 1;
    mine = generation;
    const have = model.attach(mine, withCursor);
    outbox.setReady(sessionId, false, "Loading the conversation");
    viewer.emit("switch_session", {
      sessionId,
      generation: mine,
      ...(have ? { lastSeq: have.seq, ...(have.epoch === null ? {} : { have: { epoch: have.epoch, seq: have.seq } }) } : {}),
    });
    sendVisibility();
    watch();
  };

  const sendVisibility = (): void => {
    viewer.emit("viewer_visibility", { visible: document.visibilityState === "visible" });
  };

  const settle = (): void => {
    clearTimeout(watchdog);
    clearTimeout(comesBack);
    attempt = 0;
    outbox.setReady(sessionId, true);
  };

  const end = (reason: string): void => {
    clearTimeout(watchdog);
    model.ended(reason);
    outbox.setReady(sessionId, false, "The session has ended");
  };

  const belongs = (stamp: { sessionId?: string | undefined; generation?: number | undefined }): boolean =>
    (stamp.sessionId === undefined || stamp.sessionId === sessionId) && (stamp.generation === undefined || stamp.generation === mine);

  model.onAsk = (question: Ask): void => {
    if (question.kind === "missing") viewer.emit("resync", { lastSeq: question.lastSeq });
    else ask(false);
  };
  model.onConfirmed = (requestId) => outbox.confirm(requestId);
  model.legacyMatch = (message) => {
    if (message?.role !== "user") return null;
    const waiting = outbox.items().find((item) => item.sessionId === sessionId && (item.state === "sent" || item.state === "sending" || item.state === "unconfirmed") && item.text === message.text);
    return waiting?.requestId ?? null;
  };

  const replay = new Set<number>();
  const stops = [
    viewer.onConnect(() => {
      attempt = 0;
      ask(true);
    }),
    viewer.onDisconnect(() => {
      clearTimeout(watchdog);
      model.detach();
      outbox.setReady(sessionId, false, "Reconnecting");
    }),
    viewer.on("connected", (payload) => {
      if (!belongs(payload)) return;
      if (payload.replayOnly) replay.add(mine);
      model.connected(payload);
      viewer.emit("connected", {});
      watch();
    }),
    viewer.on("event", (payload) => {
      if (model.frame(payload) && model.hydration().phase === "attaching") watch();
    }),
    viewer.on("hydrated", (payload) => {
      if (!model.hydrated(payload)) return;
      if (replay.has(mine)) end("This session has ended.");
      else settle();
    }),
    viewer.on("hydration_failed", (payload) => {
      if (!belongs(payload)) return;
      clearTimeout(watchdog);
      attempt += 1;
      if (payload.retryable && attempt < PATIENCE_MS.length) ask(false);
      else model.fail(payload.message ?? FAILURES[payload.reason], payload.retryable);
    }),
    viewer.on("hydrating", (payload) => {
      if (!belongs(payload)) return;
      model.progress(payload.received, payload.total);
      watch();
    }),
    viewer.on("presence", (payload) => {
      notePresence(payload.sessionId, { presence: payload.presence, lights: payload.lights ?? null, viewers: payload.viewers ?? null, toldAt: Date.now() });
    }),
    viewer.on("behind", (payload) => {
      if (belongs(payload)) model.behind(payload.head.seq);
    }),
    viewer.on("error", (payload) => {
      if (payload.generation === undefined || payload.generation !== mine || model.hydration().phase !== "attaching") return;
      clearTimeout(watchdog);
      model.fail(payload.message, !/not found/i.test(payload.message));
    }),
    viewer.on("disconnected", (payload) => {
      if (!belongs(payload)) return;
      if (payload.code === "session_reconnected") {
        model.detach();
        outbox.setReady(sessionId, false, "The session is reconnecting");
        clearTimeout(comesBack);
        comesBack = setTimeout(() => ask(false), COMES_BACK_MS);
        return;
      }
      if (payload.code === "session_ended" && model.empty) {
        // Gone before anything was seen: the relay may still have the stored conversation.
        end(payload.reason);
        return;
      }
      end(payload.reason);
    }),
    viewer.on("session_messages_page", (payload) => {
      if (model.page(payload)) clearTimeout(pageTimer);
    }),
    viewer.on("command_status", (payload) => {
      if (payload.sessionId === sessionId) model.commandStatus(payload);
    }),
    viewer.on("commands", (payload) => {
      if (payload.sessionId === sessionId) for (const open of payload.open) model.commandStatus({ commandId: open.command.commandId, state: open.state, at: open.at });
    }),
  ];
  const ticker = setInterval(() => model.tick(), 1_000);
  document.addEventListener("visibilitychange", sendVisibility);
  setAttached(sessionId);

  return {
    retry() {
      attempt = 0;
      ask(false);
    },
    loadOlder() {
      const turn = model.takePageTurn();
      if (!turn) return;
      clearTimeout(pageTimer);
      pageTimer = setTimeout(() => model.pageFailed(), PAGE_MS);
      if (!viewer.emit("load_messages", { sessionId, before: turn.before, limit: PAGE })) model.pageFailed();
    },
    close() {
      if (closed) return;
      closed = true;
      for (const stop of stops) stop();
      clearTimeout(watchdog);
      clearTimeout(comesBack);
      clearTimeout(pageTimer);
      clearInterval(ticker);
      document.removeEventListener("visibilitychange", sendVisibility);
      outbox.setReady(sessionId, false, "Open the session to send it");
      model.settle();
      setAttached(undefined);
    },
  };
}
