import { Dialog as D } from "radix-ui";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { useBackCloses } from "./backCloses";
import { IconButton } from "./IconButton";
import { cx } from "./cx";

export interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  /** One sentence under the title. */
  description?: ReactNode;
  children?: ReactNode;
  /** Buttons, primary last. */
  actions?: ReactNode;
  /** Must be answered: no close button, no press outside. */
  demanding?: boolean;
  className?: string;
}

const SCRIM = "ui-fade fixed inset-0 z-40 bg-scrim";

/** Centred on wide screens, a sheet from below on narrow ones. Traps focus and gives it back. */
export function Dialog({ open, onClose, title, description, children, actions, demanding = false, className }: DialogProps) {
  useBackCloses(open && !demanding, onClose);
  return (
    <D.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <D.Portal>
        <D.Overlay className={SCRIM} />
        <D.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          onPointerDownOutside={(event) => demanding && event.preventDefault()}
          onEscapeKeyDown={(event) => demanding && event.preventDefault()}
          className={cx(
            "fixed z-50 flex flex-col bg-surface shadow-2 outline-none forced-border",
            "max-m:ui-sheet-bottom max-m:inset-x-0 max-m:bottom-0 max-m:max-h-[88dvh] max-m:rounded-t-[14px] max-m:pb-[max(8px,var(--safe-bottom))]",
            "m:ui-pop m:top-[12dvh] m:left-1/2 m:max-h-[76dvh] m:w-[min(28rem,calc(100vw-32px))] m:-translate-x-1/2 m:rounded-card m:border m:border-line",
            className,
          )}
        >
          <div className="flex items-start gap-3 px-5 pt-4 pb-1">
            <div className="min-w-0 flex-1">
              <D.Title className="text-section font-semibold text-text">{title}</D.Title>
              {description && <D.Description className="mt-1 text-ui text-text-2">{description}</D.Description>}
            </div>
            {!demanding && (
              <D.Close asChild>
                <IconButton icon={X} label="Close" tip={false} className="-mr-2" />
              </D.Close>
            )}
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-5 py-2">{children}</div>
          {actions && <div className="flex flex-wrap justify-end gap-2 px-5 pt-2 pb-4 max-m:*:flex-1">{actions}</div>}
        </D.Content>
      </D.Portal>
    </D.Root>
  );
}

const SIDES = {
  right: "ui-sheet-right inset-y-0 right-0 w-[min(100vw,max(60vw,26rem))] border-l",
  left: "ui-sheet-left inset-y-0 left-0 w-[min(86vw,20rem)] border-r",
  full: "ui-sheet-bottom inset-0",
} as const;

/** A panel over one side of the screen; on phones the whole height. */
export function Sheet({ open, onClose, side = "right", title, hideTitle = false, children, className }: {
  open: boolean;
  onClose: () => void;
  side?: keyof typeof SIDES;
  title: string;
  hideTitle?: boolean;
  children: ReactNode;
  className?: string;
}) {
  useBackCloses(open, onClose);
  return (
    <D.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <D.Portal>
        <D.Overlay className={SCRIM} />
        <D.Content aria-describedby={undefined} className={cx("fixed z-50 flex flex-col border-line bg-bg pt-[var(--safe-top)] pb-[var(--safe-bottom)] shadow-2 outline-none", SIDES[side], className)}>
          <div className={cx("flex h-12 shrink-0 items-center gap-2 border-b border-line pr-2 pl-4", hideTitle && "sr-only")}>
            <D.Title className="min-w-0 flex-1 truncate text-ui font-semibold">{title}</D.Title>
            <D.Close asChild>
              <IconButton icon={X} label="Close" tip={false} />
            </D.Close>
          </div>
          <div className="flex min-h-0 flex-1 flex-col overflow-y-auto overscroll-contain">{children}</div>
        </D.Content>
      </D.Portal>
    </D.Root>
  );
}
