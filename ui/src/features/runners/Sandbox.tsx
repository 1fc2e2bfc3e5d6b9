import { useQuery } from "@tanstack/react-query";
import { Shield, ShieldAlert, ShieldCheck, type LucideIcon } from "lucide-react";
import { useState } from "react";
import { queryClient, sandboxQuery } from "@/data/queries";
import { isObject } from "@/data/storage";
import { api, messageOf, url } from "@/net/api";
import { ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Field, TextArea } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { toast } from "@/ui/toast";

type Mode = "none" | "basic" | "full";
const MODES: { mode: Mode; icon: LucideIcon; title: string; words: string }[] = [
  { mode: "none", icon: ShieldAlert, title: "Off", words: "Commands can do whatever the machine's user can. Approvals are the only brake." },
  { mode: "basic", icon: Shield, title: "Files", words: "Commands write only where you allow it. The network stays open." },
  { mode: "full", icon: ShieldCheck, title: "Files and network", words: "As before, and commands reach only the hosts you list." },
];

function lines(config: unknown, group: string, key: string): string {
  const part = isObject(config) ? config[group] : undefined;
  const value = isObject(part) ? part[key] : undefined;
  return Array.isArray(value) ? value.filter((line) => typeof line === "string").join("\n") : "";
}
const split = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export function Sandbox({ runnerId }: { runnerId: string }) {
  const status = useQuery(sandboxQuery(runnerId));
  if (status.isPending) return <SkeletonRows rows={4} />;
  if (status.error) return <ErrorState title="The machine didn't answer" detail={messageOf(status.error)} onRetry={() => void status.refetch()} />;
  return <Editor key={JSON.stringify(status.data["config"] ?? null)} runnerId={runnerId} status={status.data} />;
}

function Editor({ runnerId, status }: { runnerId: string; status: Record<string, unknown> }) {
  const config = status["rawConfig"] ?? status["config"];
  const current = MODES.find((entry) => entry.mode === status["mode"])?.mode ?? "none";
  const [mode, setMode] = useState<Mode>(current);
  const [allowWrite, setAllowWrite] = useState(lines(config, "filesystem", "allowWrite"));
  const [denyRead, setDenyRead] = useState(lines(config, "filesystem", "denyRead"));
  const [denyWrite, setDenyWrite] = useState(lines(config, "filesystem", "denyWrite"));
  const [domains, setDomains] = useState(lines(config, "network", "allowedDomains"));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const save = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      await api.put(url(["api", "runners", runnerId, "sandbox-config"]), {
        mode,
        filesystem: { allowWrite: split(allowWrite), denyRead: split(denyRead), denyWrite: split(denyWrite) },
        network: { allowedDomains: split(domains) },
      });
      await queryClient.invalidateQueries({ queryKey: sandboxQuery(runnerId).queryKey });
      toast("Saved. It holds for sessions started from now on.");
    } catch (error) {
      setProblem(messageOf(error));
    }
    setBusy(false);
  };
  const list = (label: string, hint: string, value: string, set: (text: string) => void) => (
    <Field label={label} hint={hint}>
      {(control) => <TextArea {...control} mono spellCheck={false} rows={3} value={value} onChange={(event) => set(event.target.value)} />}
    </Field>
  );
  return (
    <div className="flex flex-col gap-8">
      <Section title="What commands may do" description="Holds for sessions that start after a change. A session says itself when its machine cannot confine it.">
        <div role="radiogroup" aria-label="Confinement" className="grid gap-2 m:grid-cols-3">
          {MODES.map((entry) => (
            <button
              key={entry.mode}
              type="button"
              role="radio"
              aria-checked={mode === entry.mode}
              onClick={() => setMode(entry.mode)}
              className={cx("flex flex-col gap-1 rounded-card border p-3 text-left hover:bg-hover", mode === entry.mode ? "border-text bg-hover" : "border-line")}
            >
              <Icon icon={entry.icon} size={18} />
              <span className="mt-1 text-ui font-medium">{entry.title}</span>
              <span className="text-meta text-text-3">{entry.words}</span>
            </button>
          ))}
        </div>
      </Section>
      {mode !== "none" && (
        <Section title="Exceptions" description="One per line.">
          <div className="grid gap-4 m:grid-cols-2">
            {list("May write to", "Besides the session's own folder", allowWrite, setAllowWrite)}
            {list("Must not write to", "Even inside allowed folders", denyWrite, setDenyWrite)}
            {list("Must not read", "Secrets, keys, private notes", denyRead, setDenyRead)}
            {mode === "full" && list("Reachable hosts", "For example: github.com", domains, setDomains)}
          </div>
        </Section>
      )}
      <div className="flex items-center gap-3">
        <Button kind="ink" busy={busy} onClick={() => void save()}>
          Save
        </Button>
        <p role="alert" className="text-ui text-fail">
          {problem}
        </p>
      </div>
    </div>
  );
}
