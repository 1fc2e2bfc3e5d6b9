import { Popover as P } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";

/** Floating panel tied to a control. */
export function Popover({ trigger, children, open, onOpenChange, align = "start", side = "bottom", className, label }: {
  trigger: ReactNode;
  children: ReactNode;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  align?: "start" | "center" | "end";
  side?: "top" | "bottom" | "left" | "right";
  className?: string;
  label?: string;
}) {
  return (
    <P.Root {...(open === undefined ? {} : { open })} {...(onOpenChange ? { onOpenChange } : {})}>
      <P.Trigger asChild>{trigger}</P.Trigger>
      <P.Portal>
        <P.Content
          align={align}
          side={side}
          sideOffset={6}
          collisionPadding={8}
          aria-label={label}
          className={cx("ui-pop z-50 max-h-[var(--radix-popper-available-height)] max-w-[calc(100vw-16px)] overflow-y-auto rounded-card border border-line bg-surface shadow-2", className)}
        >
          {children}
        </P.Content>
      </P.Portal>
    </P.Root>
  );
}
