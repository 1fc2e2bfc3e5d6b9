import { Tabs as T } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";

export interface TabDef<V extends string> {
  value: V;
  label: ReactNode;
  count?: number | undefined;
}

const TAB =
  "relative h-9 shrink-0 rounded-ctl px-2.5 text-ui font-medium text-text-2 transition-colors hover:text-text data-[state=active]:text-text after:absolute after:inset-x-2.5 after:-bottom-px after:h-0.5 after:rounded-full after:bg-transparent data-[state=active]:after:bg-text pointer-coarse:h-11";

/** A row of tabs with roving focus; `children` is the panel of the chosen one. */
export function Tabs<V extends string>({ value, onChange, tabs, label, children, className, trailing }: {
  value: V;
  onChange: (value: V) => void;
  tabs: readonly TabDef<V>[];
  label: string;
  children: ReactNode;
  className?: string;
  trailing?: ReactNode;
}) {
  return (
    <T.Root
      value={value}
      onValueChange={(next) => {
        const found = tabs.find((tab) => tab.value === next);
        if (found) onChange(found.value);
      }}
      className={cx("flex min-h-0 flex-col", className)}
    >
      <div className="flex shrink-0 items-center border-b border-line">
        <T.List aria-label={label} className="flex min-w-0 flex-1 gap-0.5 overflow-x-auto px-2 [scrollbar-width:none]">
          {tabs.map((tab) => (
            <T.Trigger key={tab.value} value={tab.value} className={TAB}>
              {tab.label}
              {tab.count !== undefined && tab.count > 0 && <span className="ml-1.5 text-meta text-text-3 tnum">{tab.count}</span>}
            </T.Trigger>
          ))}
        </T.List>
        {trailing}
      </div>
      <T.Content value={value} tabIndex={-1} className="min-h-0 flex-1 outline-none">
        {children}
      </T.Content>
    </T.Root>
  );
}
