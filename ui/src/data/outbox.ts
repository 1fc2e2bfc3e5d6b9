import { useMemo } from "react";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { api, ApiError, messageOf } from "@/net/api";
import { connection } from "@/net/connection";
import { attachedSession, commandId, viewer } from "@/net/viewer";
import type { Attachment, CommandStatus } from "@/protocol/wire";
import { touch } from "./hub";
import { database } from "./database";
import type { DraftAttachment } from "./drafts";

/**
 * Messages the person has submitted and the agent has not confirmed. Written to the database before anything is sent;
 * one sender per session, in order; matched with the real message by id, never by text.
 */

export type OutboxState = "uploading" | "waiting" | "sending" | "sent" | "unconfirmed" | "failed";

export interface OutboxAttachment extends DraftAttachment {
  /** Set when the relay has it. */
  attachmentId?: string;
}

export interface OutboxItem {
  requestId: string;
  sessionId: string;
  text: string;
  attachments: readonly OutboxAttachment[];
  deliverAs?: "steer" | "followUp";
  composedAt?: { epoch: number; seq: number };
  createdAt: number;
  state: OutboxState;
  /** Why it waits or failed, for people. */
  reason?: string;
  /** 0…1 while uploading. */
  progress?: number;
}

export interface Submission {
  sessionId: string;
  text: string;
  attachments?: readonly DraftAttachment[];
  deliverAs?: "steer" | "followUp";
  composedAt?: { epoch: number; seq: number };
}

interface OutboxStore {
  items: readonly OutboxItem[];
  ready: ReadonlyMap<string, { ready: boolean; reason?: string }>;
}

/** How long the relay may take to acknowledge, ms. After that nobody knows, and nothing is sent twice by itself. */
const ACK_MS = 10_000;
/** A message that arrived but never showed up in a transcript is dropped after this, ms. */
const FORGET_SENT_MS = 120_000;

const table = database<OutboxItem & { tab: string }>("outbox");
const store = createStore<OutboxStore>(() => ({ items: [], ready: new Map() }));
/** This tab's claim on its items; others see by the lock whether it still lives. */
const tab = commandId();
const lockName = (owner: string) => `pizzapi-tab-${owner}`;
const cancels = new Map<string, AbortController>();
const busy = new Set<string>();

function find(requestId: string): OutboxItem | undefined {
  return store.getState().items.find((item) => item.requestId === requestId);
}

async function put(item: OutboxItem): Promise<void> {
  store.setState(({ items }) => ({
    items: items.some((known) => known.requestId === item.requestId) ? items.map((known) => (known.requestId === item.requestId ? item : known)) : [...items, item],
  }));
  await table.set(item.requestId, { ...item, tab });
}

function drop(requestId: string): void {
  store.setState(({ items }) => ({ items: items.filter((item) => item.requestId !== requestId) }));
  void table.delete(requestId);
}

function patch(requestId: string, change: Partial<Pick<OutboxItem, "state" | "attachments" | "progress">> & { reason?: string | undefined }): Promise<void> {
  const item = find(requestId);
  if (!item) return Promise.resolve();
  const { reason: _old, ...rest } = item;
  const { reason, ...known } = change;
  return put({ ...rest, ...known, ...(reason === undefined ? {} : { reason }) });
}

/** Why `sessionId` cannot take a message now; undefined when it can. */
function obstacle(sessionId: string): string | undefined {
  const { phase } = connection.getState();
  if (phase === "offline") return "You're offline";
  if (phase !== "connected") return "Reconnecting";
  if (attachedSession() !== sessionId) return "Open the session to send it";
  const state = store.getState().ready.get(sessionId);
  if (!state?.ready) return state?.reason ?? "Loading the conversation";
  return undefined;
}

async function upload(item: OutboxItem): Promise<boolean> {
  const open = item.attachments.filter((attachment) => attachment.attachmentId === undefined);
  if (open.length === 0) return true;
  const cancel = new AbortController();
  cancels.set(item.requestId, cancel);
  await patch(item.requestId, { state: "uploading", progress: 0 });
  try {
    const path = `/api/sessions/${encodeURIComponent(item.sessionId)}/attachments`;
    const answer = await api.upload<{ attachments: { attachmentId: string }[] }>(
      path,
      open,
      (progress) => store.setState(({ items }) => ({ items: items.map((known) => (known.requestId === item.requestId ? { ...known, progress } : known)) })),
      cancel.signal,
    );
    const ids = new Map(open.map((attachment, index) => [attachment.id, answer.attachments[index]?.attachmentId]));
    await patch(item.requestId, {
      attachments: item.attachments.map((attachment) => {
        const attachmentId = attachment.attachmentId ?? ids.get(attachment.id);
        return attachmentId === undefined ? attachment : { ...attachment, attachmentId };
      }),
      progress: 1,
    });
    return true;
  } catch (error) {
    if (cancel.signal.aborted) return false;
    if (error instanceof ApiError && error.unreachable) await patch(item.requestId, { state: "waiting", reason: "Reconnecting" });
    else await patch(item.requestId, { state: "failed", reason: `Attachment not sent. ${messageOf(error)}` });
    return false;
  } finally {
    cancels.delete(item.requestId);
  }
}

async function send(requestId: string): Promise<void> {
  const item = find(requestId);
  if (!item || !(await upload(item))) return;
  const fresh = find(requestId);
  if (!fresh || obstacle(fresh.sessionId) !== undefined) return patch(requestId, { state: "waiting", reason: obstacle(fresh?.sessionId ?? "") });
  await patch(requestId, { state: "sending" });
  const attachments: Attachment[] = fresh.attachments.map((attachment) => ({
    ...(attachment.attachmentId === undefined ? {} : { attachmentId: attachment.attachmentId }),
    mediaType: attachment.type,
    filename: attachment.name,
  }));
  try {
    const delivered = await viewer.call(
      "input",
      {
        text: fresh.text,
        client: "web",
        requestId,
        sessionId: fresh.sessionId,
        ...(attachments.length > 0 ? { attachments } : {}),
        ...(fresh.deliverAs ? { deliverAs: fresh.deliverAs } : {}),
        ...(fresh.composedAt ? { composedAt: fresh.composedAt } : {}),
      },
      ACK_MS,
    );
    if (delivered) {
      touch(fresh.sessionId);
      await patch(requestId, { state: "sent" });
      setTimeout(() => find(requestId)?.state === "sent" && drop(requestId), FORGET_SENT_MS);
    } else await patch(requestId, { state: "failed", reason: "The session did not take it." });
  } catch {
    // The words may have arrived although the answer did not: only a person may decide to send them again.
    await patch(requestId, { state: "unconfirmed", reason: "Not confirmed yet" });
  }
}

/** Send what can be sent, one after the other per session. */
async function pump(sessionId: string): Promise<void> {
  if (busy.has(sessionId)) return;
  busy.add(sessionId);
  try {
    for (;;) {
      const next = store.getState().items.find((item) => item.sessionId === sessionId && (item.state === "waiting" || item.state === "uploading"));
      if (!next) return;
      const why = obstacle(sessionId);
      if (why !== undefined) {
        if (next.reason !== why) await patch(next.requestId, { state: "waiting", reason: why });
        return;
      }
      await send(next.requestId);
      if (find(next.requestId)?.state === "waiting") return;
    }
  } finally {
    busy.delete(sessionId);
  }
}

function pumpAll(): void {
  for (const sessionId of new Set(store.getState().items.map((item) => item.sessionId))) void pump(sessionId);
}

export const outbox = {
  /** Take a message over. Returns its id at once; the item is on screen in the same frame. */
  submit(submission: Submission): string {
    const requestId = commandId();
    void put({
      requestId,
      sessionId: submission.sessionId,
      text: submission.text,
      attachments: submission.attachments ?? [],
      ...(submission.deliverAs ? { deliverAs: submission.deliverAs } : {}),
      ...(submission.composedAt ? { composedAt: submission.composedAt } : {}),
      createdAt: Date.now(),
      state: "waiting",
    }).then(() => pump(submission.sessionId));
    return requestId;
  },

  /** Send again under the same id: whoever has it already will not take it twice. */
  retry(requestId: string): void {
    const item = find(requestId);
    if (!item || (item.state !== "failed" && item.state !== "unconfirmed")) return;
    void patch(requestId, { state: "waiting" }).then(() => pump(item.sessionId));
  },

  /** Take it back into the composer. */
  edit(requestId: string): OutboxItem | undefined {
    const item = find(requestId);
    if (item) outbox.remove(requestId);
    return item;
  },

  remove(requestId: string): void {
    cancels.get(requestId)?.abort();
    const item = find(requestId);
    if (item && (item.state === "sent" || item.state === "sending" || item.state === "unconfirmed")) viewer.emit("cancel_command", { commandId: requestId, sessionId: item.sessionId });
    drop(requestId);
  },

  /** The transcript shows the real message now. */
  confirm(requestId: string): void {
    if (find(requestId)) drop(requestId);
  },

  /** The open session can (or cannot) take messages at the moment. */
  setReady(sessionId: string, ready: boolean, reason?: string): void {
    const known = store.getState().ready.get(sessionId);
    if (known?.ready === ready && known.reason === reason) return;
    store.setState((state) => ({ ready: new Map(state.ready).set(sessionId, reason === undefined ? { ready } : { ready, reason }) }));
    void pump(sessionId);
  },

  count: (): number => store.getState().items.filter((item) => item.state !== "sent").length,
  items: (): readonly OutboxItem[] => store.getState().items,

  forgetAll(): void {
    for (const cancel of cancels.values()) cancel.abort();
    store.setState({ items: [], ready: new Map() });
  },
};

function onStatus(status: CommandStatus): void {
  const item = find(status.commandId);
  if (!item || item.sessionId !== status.sessionId) return;
  switch (status.state) {
    case "accepted":
    case "delivered":
    case "consumed":
      if (item.state !== "sent") void patch(item.requestId, { state: "sent" });
      return;
    case "cancelled":
      return drop(item.requestId);
    case "unknown":
      return void patch(item.requestId, { state: "unconfirmed", reason: "The agent stopped before it could say whether it read this" });
    case "expired":
      return void patch(item.requestId, { state: "failed", reason: "The session did not come back in time." });
    case "rejected":
      return void patch(item.requestId, { state: "failed", reason: REJECTED[status.code ?? ""] ?? status.message ?? "The session refused it." });
  }
}

const REJECTED: Record<string, string> = {
  moved_on: "The conversation was replaced before this arrived.",
  offline: "The session is offline.",
  foreign: "This session belongs to somebody else.",
  too_large: "Too long to send.",
};

/** Pick up what earlier visits left unsent. Items of tabs that still live stay theirs. */
export async function startOutbox(): Promise<() => void> {
  if ("locks" in navigator) void navigator.locks.request(lockName(tab), () => new Promise(() => undefined));
  const held = "locks" in navigator ? new Set(((await navigator.locks.query()).held ?? []).map((lock) => lock.name)) : new Set<string | undefined>();
  for (const [, { tab: owner, ...item }] of (await table.all()).sort((a, b) => a[1].createdAt - b[1].createdAt)) {
    if (owner !== tab && held.has(lockName(owner))) continue;
    if (find(item.requestId)) continue;
    if (item.state === "sent" && Date.now() - item.createdAt > FORGET_SENT_MS) {
      drop(item.requestId);
      continue;
    }
    // What was on its way when the page went away may have arrived.
    const state = item.state === "sending" ? "unconfirmed" : item.state === "uploading" ? "waiting" : item.state;
    await put({ ...item, state });
  }
  const stops = [viewer.on("command_status", onStatus), viewer.onConnect(pumpAll), connection.subscribe(pumpAll)];
  return () => stops.forEach((stop) => stop());
}

export function useOutbox(sessionId: string): readonly OutboxItem[] {
  const items = useStore(store, (state) => state.items);
  return useMemo(() => items.filter((item) => item.sessionId === sessionId), [items, sessionId]);
}
