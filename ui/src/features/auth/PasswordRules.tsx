import { Check, Circle } from "lucide-react";
import { MAX_PASSWORD_LENGTH, type PasswordCheck } from "@/protocol/password";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/Icon";

/** The rules of a password, ticked while typing. Announced only when the form is submitted. */
export function PasswordRules({ checks, strict, id }: { checks: readonly PasswordCheck[]; strict: boolean; id: string }) {
  return (
    <ul id={id} className="grid grid-cols-1 gap-x-4 gap-y-0.5 text-meta">
      {checks
        // The upper limit is only worth a line when it is in the way.
        .filter((check) => !check.label.includes(String(MAX_PASSWORD_LENGTH)) || !check.met)
        .map((check) => (
          <li key={check.label} className={cx("flex items-center gap-1.5", check.met ? "text-done" : strict ? "text-fail" : "text-text-3")}>
            <Icon icon={check.met ? Check : Circle} size={12} />
            {check.label}
            <span className="sr-only">{check.met ? "(met)" : "(open)"}</span>
          </li>
        ))}
    </ul>
  );
}
