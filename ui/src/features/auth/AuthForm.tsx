import { useId, useRef, useState, type FormEvent } from "react";
import { signIn, signUp } from "@/data/auth";
import { checkPassword } from "@/protocol/password";
import { Button } from "@/ui/Button";
import { Field, Input, PasswordInput } from "@/ui/Field";
import { PasswordRules } from "./PasswordRules";
import { authProblem, type Mode } from "./words";

/** E-mail, password and, for a new account, a name. Used by the page and by the dialog of an expired login. */
export function AuthForm({ mode, email, onEmail, lockEmail = false, onDone }: {
  mode: Mode;
  email: string;
  onEmail: (email: string) => void;
  /** Signing in again as the same person. */
  lockEmail?: boolean;
  onDone?: () => void;
}) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [strict, setStrict] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof authProblem> | undefined>();
  const emailRef = useRef<HTMLInputElement>(null);
  const passwordRef = useRef<HTMLInputElement>(null);
  const rules = useId();
  const password_ = checkPassword(password);
  const up = mode === "sign-up";

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setProblem(undefined);
    if (!/^\S+@\S+\.\S+$/.test(email.trim())) {
      setProblem({ text: "That doesn't look like an e-mail address.", field: "email" });
      emailRef.current?.focus();
      return;
    }
    if (up && !password_.valid) {
      setStrict(true);
      passwordRef.current?.focus();
      return;
    }
    if (!up && password === "") {
      passwordRef.current?.focus();
      return;
    }
    setBusy(true);
    try {
      if (up) await signUp(name.trim() || (email.split("@")[0] ?? email), email.trim(), password);
      else await signIn(email.trim(), password);
      onDone?.();
    } catch (error) {
      const found = authProblem(error, mode);
      setProblem(found);
      const target = found.field === "email" ? emailRef.current : passwordRef.current;
      target?.focus();
      target?.select();
    } finally {
      setBusy(false);
    }
  };

  const errorOf = (field: "email" | "password") => (problem?.field === field ? problem.text : undefined);
  return (
    <form onSubmit={(event) => void submit(event)} noValidate className="flex flex-col gap-4">
      {up && (
        <Field label="Name" optional>
          {(control) => <Input {...control} name="name" autoComplete="name" value={name} onChange={(event) => setName(event.target.value)} maxLength={80} />}
        </Field>
      )}
      <Field label="E-mail" error={errorOf("email")}>
        {(control) => (
          <Input
            {...control}
            ref={emailRef}
            type="email"
            name="email"
            inputMode="email"
            autoComplete={up ? "email" : "username"}
            autoCapitalize="off"
            spellCheck={false}
            autoFocus={!lockEmail && email === ""}
            readOnly={lockEmail}
            value={email}
            onChange={(event) => onEmail(event.target.value)}
          />
        )}
      </Field>
      <Field label="Password" error={errorOf("password")}>
        {(control) => (
          <PasswordInput
            {...control}
            ref={passwordRef}
            name="password"
            autoComplete={up ? "new-password" : "current-password"}
            autoFocus={lockEmail || email !== ""}
            aria-describedby={up ? rules : control["aria-describedby"]}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
      </Field>
      {up && <PasswordRules id={rules} checks={password_.checks} strict={strict} />}
      <div role="alert" className="empty:hidden text-ui text-fail">
        {problem && !problem.field && problem.text}
        {up && strict && !password_.valid && <span className="sr-only">The password misses a rule: {password_.checks.filter((check) => !check.met).map((check) => check.label).join(", ")}</span>}
      </div>
      <Button type="submit" kind="ink" size="lg" busy={busy} className="w-full">
        {up ? "Create account" : "Sign in"}
      </Button>
    </form>
  );
}
