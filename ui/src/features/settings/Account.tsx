import { LogOut } from "lucide-react";
import { useId, useRef, useState, type FormEvent } from "react";
import { leave } from "@/app/services";
import { useAuth } from "@/data/auth";
import { plural } from "@/data/format";
import { outbox } from "@/data/outbox";
import { PasswordRules } from "@/features/auth/PasswordRules";
import { api, ApiError, messageOf } from "@/net/api";
import { checkPassword } from "@/protocol/password";
import { Section } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Checkbox } from "@/ui/Choice";
import { confirm } from "@/ui/confirm";
import { Field, Input, PasswordInput } from "@/ui/Field";
import { toast } from "@/ui/toast";

export function Account() {
  const { person } = useAuth();
  const [busy, setBusy] = useState(false);
  const out = async () => {
    const waiting = outbox.count();
    if (waiting > 0 && !(await confirm({ title: "Sign out now?", body: `${plural(waiting, "message")} on this device ${waiting === 1 ? "has" : "have"} not been delivered and would be lost.`, action: "Sign out", danger: true }))) return;
    setBusy(true);
    try {
      await leave();
    } catch (error) {
      toast(`Still signed in. ${messageOf(error)}`, { tone: "fail" });
      setBusy(false);
    }
  };
  return (
    <div className="flex flex-col gap-10">
      <Section title={person?.name ?? "Account"} description={person?.email}>
        <NameForm />
        <div>
          <Button icon={LogOut} busy={busy} onClick={() => void out()}>
            Sign out
          </Button>
        </div>
      </Section>
      <PasswordForm />
    </div>
  );
}

function NameForm() {
  const { person } = useAuth();
  const [name, setName] = useState(person?.name ?? "");
  const [busy, setBusy] = useState(false);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.post("/api/auth/update-user", { name: name.trim() });
      toast("Saved");
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void save(event)} className="flex items-end gap-2">
      <Field label="Name" className="max-w-sm flex-1">
        {(control) => <Input {...control} autoComplete="name" maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Button type="submit" busy={busy} disabled={name.trim() === "" || name.trim() === person?.name} className="h-[calc(var(--control)+4px)]">
        Save
      </Button>
    </form>
  );
}

function PasswordForm() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [others, setOthers] = useState(true);
  const [busy, setBusy] = useState(false);
  const [strict, setStrict] = useState(false);
  const [problem, setProblem] = useState<{ field: "current" | "next"; text: string } | undefined>();
  const currentRef = useRef<HTMLInputElement>(null);
  const nextRef = useRef<HTMLInputElement>(null);
  const rules = useId();
  const check = checkPassword(next);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setProblem(undefined);
    if (current === "") return currentRef.current?.focus();
    if (!check.valid) {
      setStrict(true);
      return nextRef.current?.focus();
    }
    setBusy(true);
    try {
      await api.post("/api/auth/change-password", { currentPassword: current, newPassword: next, revokeOtherSessions: others }, { expectUnauthorized: true });
      setCurrent("");
      setNext("");
      setStrict(false);
      toast("Password changed", { tone: "done" });
    } catch (error) {
      const wrong = error instanceof ApiError && (error.status === 401 || /invalid.*password|INVALID_PASSWORD/i.test(`${error.code ?? ""} ${error.message}`));
      setProblem(wrong ? { field: "current", text: "That isn't your current password." } : { field: "next", text: messageOf(error) });
      if (wrong) currentRef.current?.select();
    }
    setBusy(false);
    return undefined;
  };
  return (
    <Section title="Password">
      <form onSubmit={(event) => void submit(event)} className="flex max-w-sm flex-col gap-4">
        <Field label="Current password" error={problem?.field === "current" ? problem.text : undefined}>
          {(control) => <PasswordInput {...control} ref={currentRef} autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.target.value)} />}
        </Field>
        <Field label="New password" error={problem?.field === "next" ? problem.text : undefined}>
          {(control) => <PasswordInput {...control} aria-describedby={rules} ref={nextRef} autoComplete="new-password" value={next} onChange={(event) => setNext(event.target.value)} />}
        </Field>
        {next !== "" && <PasswordRules id={rules} checks={check.checks} strict={strict} />}
        <Checkbox checked={others} onChange={setOthers}>
          Sign out everywhere else
        </Checkbox>
        <div>
          <Button type="submit" busy={busy}>
            Change password
          </Button>
        </div>
      </form>
    </Section>
  );
}
