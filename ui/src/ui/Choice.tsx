import { Switch as S, Checkbox as C, ToggleGroup as G } from "radix-ui";
import { Check } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "./cx";
import { Icon } from "./Icon";

export function Switch({ checked, onChange, label, disabled = false, id }: { checked: boolean; onChange: (on: boolean) => void; label: string; disabled?: boolean; id?: string }) {
  return (
    <S.Root
      {...(id === undefined ? {} : { id })}
      checked={checked}
      onCheckedChange={onChange}
      disabled={disabled}
      aria-label={label}
      className="relative h-5 w-9 shrink-0 rounded-full bg-line-strong/70 transition-colors data-[state=checked]:bg-ink disabled:opacity-45 forced-border before:absolute before:-inset-3 before:content-['']"
    >
      <S.Thumb className="block size-4 translate-x-0.5 rounded-full bg-bg shadow-1 transition-transform data-[state=checked]:translate-x-[18px]" />
    </S.Root>
  );
}

export function Checkbox({ checked, onChange, children, disabled = false }: { checked: boolean; onChange: (on: boolean) => void; children: ReactNode; disabled?: boolean }) {
  return (
    <label className={cx("flex min-h-6 items-center gap-2 text-ui pointer-coarse:min-h-11", disabled && "opacity-45")}>
      <C.Root
        checked={checked}
        onCheckedChange={(on) => onChange(on === true)}
        disabled={disabled}
        className="flex size-[18px] shrink-0 items-center justify-center rounded-[4px] border border-line-strong bg-surface text-on-ink data-[state=checked]:border-ink data-[state=checked]:bg-ink"
      >
        <C.Indicator>
          <Icon icon={Check} size={13} />
        </C.Indicator>
      </C.Root>
      <span>{children}</span>
    </label>
  );
}

export interface Segment<V extends string> {
  value: V;
  label: ReactNode;
  title?: string;
}

/** One of a few values. Arrow keys move, the choice applies at once. */
export function Segmented<V extends string>({ value, onChange, options, label, size = "md" }: {
  value: V;
  onChange: (value: V) => void;
  options: readonly Segment<V>[];
  label: string;
  size?: "sm" | "md";
}) {
  return (
    <G.Root
      type="single"
      value={value}
      aria-label={label}
      onValueChange={(next) => {
        const found = options.find((option) => option.value === next);
        if (found) onChange(found.value);
      }}
      className="inline-flex w-fit max-w-full items-center gap-0.5 overflow-x-auto rounded-ctl bg-press p-0.5"
    >
      {options.map((option) => (
        <G.Item
          key={option.value}
          value={option.value}
          title={option.title}
          className={cx(
            "rounded-[5px] font-medium whitespace-nowrap text-text-2 transition-colors hover:text-text data-[state=on]:bg-raised data-[state=on]:text-text data-[state=on]:shadow-1 pointer-coarse:h-10",
            size === "sm" ? "h-6 px-2 text-meta" : "h-7 px-3 text-code",
          )}
        >
          {option.label}
        </G.Item>
      ))}
    </G.Root>
  );
}
