import { ExternalLink } from "lucide-react";
import { useCallback, useEffect, useRef, useState, type FormEvent } from "react";
import { loginStep, modelsQuery, providersQuery, queryClient, type LoginStep, type ProviderInfo } from "@/data/queries";
import { api, messageOf, url } from "@/net/api";
import { Banner, CopyButton } from "@/ui/bits";
import { Button, buttonClass } from "@/ui/Button";
import { Field, Input, PasswordInput } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Spinner } from "@/ui/Spinner";

/** How often a sign-in that waits for somebody else is looked at, ms. */
const POLL_MS = 2_000;

/** The conversation of signing in to a provider: each answer of the machine is the next thing to do. */
export function ProviderLogin({ runnerId, provider, type, autoStart = false, onDone }: {
  runnerId: string;
  provider: ProviderInfo;
  type?: "oauth" | "api_key";
  autoStart?: boolean;
  onDone?: () => void;
}) {
  const [step, setStep] = useState<LoginStep | undefined>();
  const [busy, setBusy] = useState(false);
  const [value, setValue] = useState("");
  const open = useRef<string | undefined>(undefined);
  const done = useRef(onDone);
  done.current = onDone;
  const authType = type ?? (provider.types.includes("api_key") ? "api_key" : "oauth");
  const call = useCallback((path: string, body: object, timeoutMs: number) => api.post<unknown>(url(["api", "runners", runnerId, "providers", ...path.split("/")]), body, { timeoutMs }), [runnerId]);

  const take = useCallback(
    (next: LoginStep) => {
      if ("loginId" in next && next.loginId) open.current = next.loginId;
      if (next.state === "done" || next.state === "error") open.current = undefined;
      setStep(next);
      if (next.state === "done") {
        void queryClient.invalidateQueries({ queryKey: modelsQuery(runnerId).queryKey });
        void queryClient.invalidateQueries({ queryKey: providersQuery(runnerId).queryKey });
        done.current?.();
      }
    },
    [runnerId],
  );
  const run = useCallback(
    async (work: () => Promise<unknown>) => {
      setBusy(true);
      try {
        take(loginStep(await work()));
      } catch (error) {
        take({ state: "error", message: messageOf(error) });
      } finally {
        setBusy(false);
      }
    },
    [take],
  );
  const begin = useCallback(() => void run(() => call("login", { providerId: provider.id, authType }, 60_000)), [run, call, provider.id, authType]);

  // Begin once, not once per effect run: a new start would supersede the one that is open.
  const begun = useRef(false);
  useEffect(() => {
    if (!autoStart || begun.current) return;
    begun.current = true;
    begin();
  }, [autoStart, begin]);
  // The component going away is the person walking away; the development build's double effects are not.
  useEffect(() => {
    let gone = false;
    return () => {
      gone = true;
      setTimeout(() => {
        if (gone && open.current && !document.querySelector(`[data-login="${open.current}"]`)) void call("login/cancel", { loginId: open.current }, 10_000).catch(() => undefined);
      });
    };
  }, [call]);
  useEffect(() => {
    if (step?.state !== "waiting") return undefined;
    const loginId = open.current;
    if (!loginId) return undefined;
    const timer = setInterval(async () => {
      try {
        const next = loginStep(await api.get<unknown>(url(["api", "runners", runnerId, "providers", "login", "status"], { loginId })));
        if (next.state !== "waiting") take(next);
      } catch {
        // The machine may be busy with the sign-in itself; the next look will tell.
      }
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [step, runnerId, take]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (step?.state !== "prompt" || busy) return;
    const sent = value;
    setValue("");
    void run(() => call("login/submit", { loginId: step.loginId, value: sent }, 100_000));
  };
  const cancel = () => {
    const loginId = open.current;
    open.current = undefined;
    setStep(undefined);
    if (loginId) void call("login/cancel", { loginId }, 10_000).catch(() => undefined);
  };

  if (!step) {
    return busy || autoStart ? (
      <p role="status" className="flex items-center gap-2 text-ui text-text-2">
        <Spinner /> Asking the machine…
      </p>
    ) : (
      <Button onClick={begin}>{authType === "oauth" ? `Sign in to ${provider.name}` : "Add a key"}</Button>
    );
  }
  if (step.state === "done") return <Banner tone="done">{provider.name} is ready. New sessions can use it.</Banner>;
  if (step.state === "error") {
    return (
      <Banner tone="fail" role="alert" actions={<Button size="sm" onClick={begin} busy={busy}>Try again</Button>}>
        {step.message}
      </Banner>
    );
  }
  const link = step.authUrl;
  return (
    <div className="flex flex-col gap-3" data-login={open.current}>
      {step.info?.map((line) => (
        <p key={line} className="text-ui text-text-2">
          {line}
        </p>
      ))}
      {link && (
        <div className="flex flex-wrap items-center gap-2">
          <a href={link} target="_blank" rel="noopener noreferrer" className={buttonClass("ink")}>
            <Icon icon={ExternalLink} />
            Open the sign-in page
          </a>
          <CopyButton text={link} size="md">
            Copy link
          </CopyButton>
        </div>
      )}
      {step.state === "waiting" ? (
        <div className="flex items-center gap-3">
          <p role="status" className="flex flex-1 items-center gap-2 text-ui text-text-2">
            <Spinner /> Waiting for the sign-in to finish…
          </p>
          <Button onClick={cancel}>Cancel</Button>
        </div>
      ) : step.prompt.options && step.prompt.options.length > 0 ? (
        <fieldset className="flex flex-col gap-2">
          <legend className="mb-2 text-ui font-medium">{step.prompt.message}</legend>
          {step.prompt.options.map((option) => (
            <Button key={option.id} busy={busy} onClick={() => void run(() => call("login/submit", { loginId: step.loginId, value: option.id }, 100_000))}>
              {option.label}
            </Button>
          ))}
        </fieldset>
      ) : (
        <form onSubmit={submit} className="flex flex-col gap-3">
          <Field label={step.prompt.message || (authType === "api_key" ? `${provider.name} key` : "Answer")}>
            {(control) => {
              const common = { ...control, value, autoFocus: true, autoComplete: "off", placeholder: step.prompt.placeholder, onChange: (event: { target: { value: string } }) => setValue(event.target.value) };
              return /secret|password|key/i.test(step.prompt.type) ? <PasswordInput {...common} /> : <Input {...common} mono />;
            }}
          </Field>
          <div className="flex gap-2">
            <Button type="submit" kind="ink" busy={busy}>
              Continue
            </Button>
            <Button kind="quiet" onClick={cancel}>
              Cancel
            </Button>
          </div>
        </form>
      )}
    </div>
  );
}
