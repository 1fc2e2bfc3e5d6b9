import { createContext, use, useCallback, useSyncExternalStore } from "react";
import type { Facts } from "@/transcript/facts";
import type { Item } from "@/transcript/model";
import type { Row } from "@/transcript/rows";
import type { Delivery } from "@/transcript/deliveries";
import type { Hydration } from "@/transcript/hydration";
import type { SessionModel } from "@/transcript/session";
import type { Attachment } from "./attach";

/** What every part of an open session may reach. Its identity changes only with the session. */
export interface OpenSession {
  readonly sessionId: string;
  readonly model: SessionModel;
  readonly attachment: () => Attachment | null;
  /** Put text into the composer, at the caret or instead of what is there. */
  readonly compose: (text: string, mode: "insert" | "replace") => void;
  /** Register the composer's side of `compose`. */
  readonly onCompose: (listener: ((text: string, mode: "insert" | "replace") => void) | null) => void;
  /** Show a file of the session's machine. */
  readonly openFile: (path: string, line?: number) => void;
  readonly jumpToEnd: () => void;
  readonly onJumpToEnd: (listener: (() => void) | null) => void;
}

const Context = createContext<OpenSession | null>(null);
export const SessionProvider = Context.Provider;

export function useOpenSession(): OpenSession {
  const session = use(Context);
  if (!session) throw new Error("used outside of a session screen");
  return session;
}

/** For parts that also stand outside of a session, as decisions in the inbox do. */
export function useMaybeSession(): OpenSession | null {
  return use(Context);
}

export function useRows(model: SessionModel): readonly Row[] {
  return useSyncExternalStore(model.subscribeRows, model.rows);
}

export function useFacts<T>(model: SessionModel, select: (facts: Facts) => T): T {
  return useSyncExternalStore(model.subscribeFacts, () => select(model.facts()));
}

export function useHydration(model: SessionModel): Hydration {
  return useSyncExternalStore(model.subscribeHydration, model.hydration);
}

/** One item; redraws when that item changes and at no other time. */
export function useItem(model: SessionModel, id: string): Item | undefined {
  const subscribe = useCallback((listener: () => void) => model.subscribeItem(id, listener), [model, id]);
  return useSyncExternalStore(subscribe, () => model.item(id));
}

export function useOpen(model: SessionModel, id: string, standard: boolean): boolean {
  const subscribe = useCallback((listener: () => void) => model.subscribeItem(id, listener), [model, id]);
  return useSyncExternalStore(subscribe, () => model.isOpen(id)) ?? standard;
}

export function useDelivery(model: SessionModel, requestId: string | null): Delivery | undefined {
  const id = `user:${requestId ?? ""}`;
  const subscribe = useCallback((listener: () => void) => model.subscribeItem(id, listener), [model, id]);
  return useSyncExternalStore(subscribe, () => (requestId === null ? undefined : model.delivery(requestId)));
}
