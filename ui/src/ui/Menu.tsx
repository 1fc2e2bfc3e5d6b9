import { ContextMenu as CM, DropdownMenu as DM } from "radix-ui";
import { Check, type LucideIcon } from "lucide-react";
import { createContext, use, type ReactNode } from "react";
import { cx } from "./cx";
import { Icon } from "./Icon";
import { Kbd } from "./Kbd";

const PANEL = "ui-pop z-50 min-w-48 max-w-80 max-h-[min(70dvh,var(--radix-popper-available-height))] overflow-y-auto rounded-card border border-line bg-surface p-1 shadow-2";
const ITEM =
  "flex min-h-8 items-center gap-2.5 rounded-ctl px-2 text-ui outline-none select-none data-[disabled]:opacity-45 pointer-coarse:min-h-11";

/** The same items serve the button menu and the right-click menu. */
const Kind = createContext<"drop" | "context">("drop");

export function Menu({ trigger, children, align = "end", side = "bottom", onOpenChange }: {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "center" | "end";
  side?: "top" | "bottom";
  onOpenChange?: (open: boolean) => void;
}) {
  return (
    <DM.Root modal={false} {...(onOpenChange ? { onOpenChange } : {})}>
      <DM.Trigger asChild>{trigger}</DM.Trigger>
      <DM.Portal>
        <DM.Content align={align} side={side} sideOffset={4} collisionPadding={8} className={PANEL}>
          <Kind value="drop">{children}</Kind>
        </DM.Content>
      </DM.Portal>
    </DM.Root>
  );
}

/** Right click and long press on `children` open `menu`. */
export function ContextMenu({ menu, children }: { menu: ReactNode; children: ReactNode }) {
  return (
    <CM.Root modal={false}>
      <CM.Trigger asChild>{children}</CM.Trigger>
      <CM.Portal>
        <CM.Content collisionPadding={8} className={PANEL}>
          <Kind value="context">{menu}</Kind>
        </CM.Content>
      </CM.Portal>
    </CM.Root>
  );
}

export function MenuItem({ icon, keys, danger = false, disabled = false, onSelect, children, hint }: {
  icon?: LucideIcon;
  keys?: string | undefined;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
  children: ReactNode;
  hint?: ReactNode;
}) {
  const kind = use(Kind);
  const Part = kind === "drop" ? DM.Item : CM.Item;
  return (
    <Part className={cx(ITEM, danger ? "text-fail data-[highlighted]:bg-fail-tint" : "data-[highlighted]:bg-hover")} disabled={disabled} onSelect={onSelect}>
      {icon && <Icon icon={icon} className={cx("shrink-0", !danger && "text-text-3")} />}
      <span className="min-w-0 flex-1 py-1">
        <span className="block truncate">{children}</span>
        {hint && <span className="block text-meta text-text-3">{hint}</span>}
      </span>
      {keys && <Kbd keys={keys} className="ml-4" />}
    </Part>
  );
}

export function MenuCheck({ checked, onChange, children }: { checked: boolean; onChange: (on: boolean) => void; children: ReactNode }) {
  const kind = use(Kind);
  const Part = kind === "drop" ? DM.CheckboxItem : CM.CheckboxItem;
  return (
    <Part className={cx(ITEM, "data-[highlighted]:bg-hover")} checked={checked} onCheckedChange={onChange}>
      <span className="flex size-4 items-center justify-center">{checked && <Icon icon={Check} size={14} />}</span>
      <span className="flex-1 truncate">{children}</span>
    </Part>
  );
}

export function MenuRadio<V extends string>({ value, onChange, options }: { value: V; onChange: (value: V) => void; options: readonly { value: V; label: ReactNode }[] }) {
  const kind = use(Kind);
  const Group = kind === "drop" ? DM.RadioGroup : CM.RadioGroup;
  const Part = kind === "drop" ? DM.RadioItem : CM.RadioItem;
  return (
    <Group
      value={value}
      onValueChange={(next) => {
        const found = options.find((option) => option.value === next);
        if (found) onChange(found.value);
      }}
    >
      {options.map((option) => (
        <Part key={option.value} value={option.value} className={cx(ITEM, "data-[highlighted]:bg-hover")}>
          <span className="flex size-4 items-center justify-center">{value === option.value && <Icon icon={Check} size={14} />}</span>
          <span className="flex-1 truncate">{option.label}</span>
        </Part>
      ))}
    </Group>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  const kind = use(Kind);
  const Part = kind === "drop" ? DM.Label : CM.Label;
  return <Part className="px-2 pt-1.5 pb-1 text-meta font-medium text-text-3">{children}</Part>;
}

export function MenuSeparator() {
  const kind = use(Kind);
  const Part = kind === "drop" ? DM.Separator : CM.Separator;
  return <Part className="-mx-1 my-1 h-px bg-line" />;
}
