import { Eye, EyeOff } from "lucide-react";
import { useId, useState, type InputHTMLAttributes, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes } from "react";
import { cx } from "./cx";
import { Icon } from "./Icon";

const BOX =
  "w-full rounded-ctl border border-line-strong/60 bg-surface px-2.5 text-ui text-text transition-colors hover:border-line-strong focus-visible:border-accent focus-visible:outline-offset-0 disabled:opacity-50 aria-invalid:border-fail";

export interface InputProps extends InputHTMLAttributes<HTMLInputElement> {
  ref?: Ref<HTMLInputElement>;
  mono?: boolean;
}
export function Input({ className, mono = false, ...rest }: InputProps) {
  return <input className={cx(BOX, "h-[calc(var(--control)+4px)]", mono && "font-mono text-code", className)} {...rest} />;
}

export interface TextAreaProps extends TextareaHTMLAttributes<HTMLTextAreaElement> {
  ref?: Ref<HTMLTextAreaElement>;
  mono?: boolean;
}
export function TextArea({ className, mono = false, ...rest }: TextAreaProps) {
  return <textarea className={cx(BOX, "min-h-20 py-2", mono && "font-mono text-code", className)} {...rest} />;
}

/** The platform's own list: complete with keyboard, type-ahead and a wheel on phones. */
export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & { ref?: Ref<HTMLSelectElement> }) {
  return (
    <select className={cx(BOX, "ui-select h-[calc(var(--control)+4px)] appearance-none pr-8", className)} {...rest}>
      {children}
    </select>
  );
}

export function PasswordInput({ className, ...rest }: InputProps) {
  const [shown, setShown] = useState(false);
  return (
    <div className="relative">
      <Input {...rest} type={shown ? "text" : "password"} className={cx("pr-10", className)} autoCapitalize="off" autoCorrect="off" spellCheck={false} />
      <button
        type="button"
        aria-label={shown ? "Hide password" : "Show password"}
        aria-pressed={shown}
        onClick={() => setShown(!shown)}
        className="absolute top-0 right-0 flex h-full w-10 items-center justify-center rounded-ctl text-text-3 hover:text-text"
      >
        <Icon icon={shown ? EyeOff : Eye} />
      </button>
    </div>
  );
}

export interface FieldControl {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

/** Label, control, hint and error, tied together for assistive technology. */
export function Field({ label, hint, error, optional = false, children, className }: {
  label: ReactNode;
  hint?: ReactNode;
  error?: ReactNode;
  optional?: boolean;
  children: (control: FieldControl) => ReactNode;
  className?: string;
}) {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div className={cx("flex flex-col gap-1.5", className)}>
      <label htmlFor={id} className="text-ui font-medium text-text">
        {label}
        {optional && <span className="ml-1.5 font-normal text-text-3">optional</span>}
      </label>
      {children({ id, "aria-describedby": hint || error ? note : undefined, "aria-invalid": error ? true : undefined })}
      <div id={note} className={cx("text-meta", error ? "text-fail" : "text-text-3", !error && !hint && "hidden")} role={error ? "alert" : undefined}>
        {error ?? hint}
      </div>
    </div>
  );
}
