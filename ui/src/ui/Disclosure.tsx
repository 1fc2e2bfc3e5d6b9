import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "./cx";
import { Icon } from "./Icon";

/** A line that opens. State lives with the caller, so that a row may unmount and come back as it was. */
export function Disclosure({ open, onToggle, line, children, className, lineClass }: {
  open: boolean;
  onToggle: () => void;
  line: ReactNode;
  children?: ReactNode;
  className?: string;
  lineClass?: string;
}) {
  return (
    <div className={className}>
      <button type="button" aria-expanded={open} onClick={onToggle} className={cx("flex w-full items-center gap-1.5 rounded-ctl text-left", lineClass)}>
        <Icon icon={ChevronRight} size={14} className={cx("shrink-0 text-text-3 transition-transform", open && "rotate-90")} />
        {line}
      </button>
      {open && children}
    </div>
  );
}
