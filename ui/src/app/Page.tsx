import { ChevronLeft } from "lucide-react";
import { useEffect, useRef, type ReactNode } from "react";
import { cx } from "@/ui/cx";
import { IconButton } from "@/ui/IconButton";
import { useWidth } from "@/ui/media";
import { navigate } from "./routes";

/** A scrolling page with a heading. Focus moves to the heading when it opens, so that readers hear where they are. */
export function Page({ title, description, actions, back, children, wide = false }: {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  /** Where the phone's back arrow leads; none on places of the bottom bar. */
  back?: string | undefined;
  children: ReactNode;
  wide?: boolean;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  const narrow = useWidth() === "S";
  useEffect(() => heading.current?.focus({ preventScroll: true }), [title]);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className={cx("mx-auto flex w-full flex-col gap-6 px-4 pt-[calc(20px+var(--safe-top))] pb-16 m:px-8 m:pt-10", wide ? "max-w-[72rem]" : "max-w-page")}>
        <header className="flex items-center gap-2">
          {narrow && back !== undefined && <IconButton icon={ChevronLeft} label="Back" tip={false} className="-ml-3" onClick={() => navigate(back)} />}
          <div className="min-w-0 flex-1">
            <h1 ref={heading} tabIndex={-1} className="text-title font-semibold outline-none">
              {title}
            </h1>
            {description && <p className="mt-0.5 text-ui text-text-2">{description}</p>}
          </div>
          {actions && <div className="flex shrink-0 flex-wrap justify-end gap-2">{actions}</div>}
        </header>
        {children}
      </div>
    </div>
  );
}
