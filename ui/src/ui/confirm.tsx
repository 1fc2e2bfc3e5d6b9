import { useState, type ReactNode } from "react";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { Button } from "./Button";
import { Dialog } from "./Dialog";

export interface ConfirmRequest {
  title: string;
  body?: ReactNode;
  /** Label of the button that goes ahead, a verb. */
  action: string;
  danger?: boolean;
  cancel?: string;
}

interface Open extends ConfirmRequest {
  id: number;
  settle: (yes: boolean) => void;
}

const store = createStore<{ queue: readonly Open[] }>(() => ({ queue: [] }));
let nextId = 0;

/** Ask once, by name, before something that cannot be taken back. Resolves to false on Escape, Back or Cancel. */
export function confirm(request: ConfirmRequest): Promise<boolean> {
  return new Promise((resolve) => {
    const id = ++nextId;
    const settle = (yes: boolean) => {
      store.setState(({ queue }) => ({ queue: queue.filter((open) => open.id !== id) }));
      resolve(yes);
    };
    store.setState(({ queue }) => ({ queue: [...queue, { ...request, id, settle }] }));
  });
}

/** Mounted once in the shell. */
export function ConfirmHost() {
  const current = useStore(store, (state) => state.queue[0]);
  // The last question stays rendered while the dialog fades.
  const [shown, setShown] = useState(current);
  if (current && current !== shown) setShown(current);
  if (!shown) return null;
  return (
    <Dialog
      open={current !== undefined}
      onClose={() => current?.settle(false)}
      title={shown.title}
      actions={
        <>
          <Button onClick={() => current?.settle(false)}>{shown.cancel ?? "Cancel"}</Button>
          <Button kind={shown.danger ? "danger" : "ink"} onClick={() => current?.settle(true)}>
            {shown.action}
          </Button>
        </>
      }
    >
      {shown.body && <div className="pb-2 text-ui text-text-2">{shown.body}</div>}
    </Dialog>
  );
}
