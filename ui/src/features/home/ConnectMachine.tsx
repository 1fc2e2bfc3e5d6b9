import { Check } from "lucide-react";
import { useState } from "react";
import { useRunners, runnerName } from "@/data/runners";
import { createKey } from "@/features/keys";
import { messageOf } from "@/net/api";
import { Badge, Card, CommandLine } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";

/** Until a machine is connected there is nothing to do but this. Turns green by itself. */
export function ConnectMachine() {
  const { list } = useRunners();
  const online = list.find((machine) => machine.online);
  const [key, setKey] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const relay = location.origin.replace(/^http/, "ws");
  const make = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      setKey((await createKey({ name: "runner", prefix: "ppru" })).key);
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card className="flex flex-col gap-5 p-5 m:p-6">
      <div>
        <h2 className="text-section font-semibold">Connect a machine</h2>
        <p className="mt-0.5 text-ui text-text-2">Agents run where your code is. Start the runner there; this page notices it by itself.</p>
      </div>
      <ol className="flex flex-col gap-4">
        <Step n={1} title="Run this on the machine">
          <CommandLine command={`PIZZAPI_RELAY_URL=${relay} pizzapi runner`} />
        </Step>
        <Step n={2} title="Open the link it prints and approve">
          <p className="text-ui text-text-2">
            Can't open a link from there?{" "}
            {key === undefined && (
              <Button kind="accent" size="sm" busy={busy} onClick={() => void make()}>
                Make a key instead
              </Button>
            )}
          </p>
          {key !== undefined && (
            <>
              <CommandLine command={`PIZZAPI_RELAY_URL=${relay} PIZZAPI_RUNNER_API_KEY=${key} pizzapi runner`} />
              <p className="text-meta text-text-3">The key is shown only this once. Revoke it any time under Settings → Keys.</p>
            </>
          )}
          {problem && (
            <p role="alert" className="text-ui text-fail">
              {problem}
            </p>
          )}
        </Step>
      </ol>
      <div role="status" className="flex items-center gap-2 text-ui">
        {online ? (
          <Badge tone="done">
            <Icon icon={Check} size={12} />
            {runnerName(online.info)} is connected
          </Badge>
        ) : (
          <>
            <span className="pulse size-2 rounded-full bg-run" aria-hidden="true" />
            <span className="text-text-2">Waiting for it to appear…</span>
          </>
        )}
      </div>
    </Card>
  );
}

function Step({ n, title, children }: { n: number; title: string; children: React.ReactNode }) {
  return (
    <li className="flex gap-3">
      <span className="mt-px grid size-5 shrink-0 place-items-center rounded-full bg-press text-meta font-medium text-text-2 tnum" aria-hidden="true">
        {n}
      </span>
      <div className="flex min-w-0 flex-1 flex-col gap-2">
        <p className="text-ui font-medium">{title}</p>
        {children}
      </div>
    </li>
  );
}
