import { Tooltip as T } from "radix-ui";
import type { ReactNode } from "react";
import { Kbd } from "./Kbd";

/** Wrap the app once. */
export function TooltipProvider({ children }: { children: ReactNode }) {
  return (
    <T.Provider delayDuration={500} skipDelayDuration={200}>
      {children}
    </T.Provider>
  );
}

export function Tooltip({ text, keys, side = "bottom", children }: { text: ReactNode; keys?: string | undefined; side?: "top" | "bottom" | "left" | "right"; children: ReactNode }) {
  return (
    <T.Root>
      <T.Trigger asChild>{children}</T.Trigger>
      <T.Portal>
        <T.Content
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className="ui-pop z-50 flex max-w-72 items-center gap-2 rounded-ctl bg-ink px-2 py-1 text-meta text-on-ink shadow-1 pointer-coarse:hidden"
        >
          {text}
          {keys && <Kbd keys={keys} inverse />}
        </T.Content>
      </T.Portal>
    </T.Root>
  );
}
