import type { LucideIcon } from "lucide-react";
import { Check, Copy } from "lucide-react";
import { useEffect, useState, type HTMLAttributes, type ReactNode } from "react";
import { Button, type ButtonSize } from "./Button";
import { IconButton } from "./IconButton";
import { cx } from "./cx";
import { Icon } from "./Icon";

export type Tone = "plain" | "run" | "wait" | "done" | "fail" | "accent";

const TONES: Record<Tone, string> = {
  plain: "bg-press text-text-2",
  run: "bg-run-tint text-run",
  wait: "bg-wait-tint text-wait",
  done: "bg-done-tint text-done",
  fail: "bg-fail-tint text-fail",
  accent: "bg-accent-tint text-accent",
};

export function Badge({ tone = "plain", children, className }: { tone?: Tone; children: ReactNode; className?: string }) {
  return (
    <span className={cx("inline-flex h-5 shrink-0 items-center gap-1 rounded-full px-2 text-meta font-medium tnum forced-border", TONES[tone], className)}>{children}</span>
  );
}

export function Separator({ vertical = false, className }: { vertical?: boolean; className?: string }) {
  return <div role="separator" aria-orientation={vertical ? "vertical" : "horizontal"} className={cx("shrink-0 bg-line", vertical ? "h-full w-px" : "h-px w-full", className)} />;
}

/** One icon, one sentence, one way on. */
export function EmptyState({ icon, title, children, action, className }: { icon?: LucideIcon; title: ReactNode; children?: ReactNode; action?: ReactNode; className?: string }) {
  return (
    <div className={cx("mx-auto flex max-w-sm flex-col items-center gap-2 px-6 py-12 text-center", className)}>
      {icon && (
        <span className="mb-1 flex size-10 items-center justify-center rounded-full bg-hover text-text-3">
          <Icon icon={icon} size={20} />
        </span>
      )}
      <p className="text-ui font-medium text-text">{title}</p>
      {children && <div className="text-ui text-text-2">{children}</div>}
      {action && <div className="mt-2 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** Failure of a part of the screen: what failed, a way to try again, technical words on demand. */
export function ErrorState({ title, detail, onRetry, className }: { title: ReactNode; detail?: string | undefined; onRetry?: (() => void) | undefined; className?: string }) {
  return (
    <div role="alert" className={cx("mx-auto flex max-w-sm flex-col items-center gap-2 px-6 py-10 text-center", className)}>
      <p className="text-ui font-medium text-text">{title}</p>
      {detail && (
        <details className="w-full text-meta text-text-3">
          <summary className="mx-auto w-fit underline decoration-line-strong underline-offset-2">Details</summary>
          <p className="mt-1 font-mono break-words select-text">{detail}</p>
        </details>
      )}
      {onRetry && (
        <Button className="mt-1" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden="true" className={cx("skeleton", className)} />;
}

/** A few placeholder rows in the geometry of what is coming. */
export function SkeletonRows({ rows = 4, className }: { rows?: number; className?: string }) {
  return (
    <div aria-busy="true" className={cx("flex flex-col gap-3", className)}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex items-center gap-3">
          <Skeleton className="size-4 rounded-full" />
          <Skeleton className={cx("h-4", row % 3 === 0 ? "w-3/5" : row % 3 === 1 ? "w-2/5" : "w-1/2")} />
        </div>
      ))}
    </div>
  );
}

/** A strip inside a page that says something and offers at most two things to do. */
export function Banner({ tone = "plain", icon, children, actions, className, role = "status" }: {
  tone?: Tone;
  icon?: LucideIcon;
  children: ReactNode;
  actions?: ReactNode;
  className?: string;
  role?: "status" | "alert";
}) {
  return (
    <div role={role} className={cx("flex flex-wrap items-center gap-x-3 gap-y-1 rounded-card px-3 py-2 text-ui", TONES[tone], className)}>
      {icon && <Icon icon={icon} />}
      <div className="min-w-0 flex-1 text-text">{children}</div>
      {actions && <div className="flex gap-1">{actions}</div>}
    </div>
  );
}

/** How long "Copied" stays. */
const COPIED_MS = 1_600;

/** Puts `text` (or what it returns) on the clipboard, on a press only. */
export function CopyButton({ text, label = "Copy", children, size = "sm", className }: { text: string | (() => string); label?: string; children?: ReactNode; size?: ButtonSize; className?: string }) {
  const [state, setState] = useState<"ready" | "copied" | "failed">("ready");
  useEffect(() => {
    if (state === "ready") return undefined;
    const timer = setTimeout(() => setState("ready"), COPIED_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => setState((await copyText(typeof text === "string" ? text : text())) ? "copied" : "failed");
  const words = state === "copied" ? "Copied" : state === "failed" ? "Could not copy" : label;
  const glyph = state === "copied" ? Check : Copy;
  return children === undefined ? (
    <IconButton icon={glyph} label={words} size={size} {...(className ? { className } : {})} onClick={() => void copy()} />
  ) : (
    <Button icon={glyph} size={size} {...(className ? { className } : {})} onClick={() => void copy()}>
      {state === "ready" ? children : words}
    </Button>
  );
}

/** Clipboard, with the old way for pages served without TLS. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.style.position = "fixed";
    field.style.opacity = "0";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** A titled block of a page. Cards never contain cards. */
export function Section({ title, description, actions, children, className }: { title: ReactNode; description?: ReactNode; actions?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={cx("flex flex-col gap-3", className)}>
      <div className="flex items-end gap-3">
        <div className="min-w-0 flex-1">
          <h2 className="text-section font-semibold">{title}</h2>
          {description && <p className="text-ui text-text-2">{description}</p>}
        </div>
        {actions}
      </div>
      {children}
    </section>
  );
}

export function Card({ className, ...rest }: HTMLAttributes<HTMLDivElement>) {
  return <div className={cx("rounded-card border border-line bg-surface", className)} {...rest} />;
}

/** Inline code and commands to copy. */
export function CommandLine({ command }: { command: string }) {
  return (
    <div className="flex items-center gap-2 rounded-ctl border border-line bg-sunken py-1 pr-1 pl-3">
      <code className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-code whitespace-pre select-all">{command}</code>
      <CopyButton text={command} label="Copy command" />
    </div>
  );
}
