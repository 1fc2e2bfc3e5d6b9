import { Power, RotateCw, Trash2, TriangleAlert } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { Link, navigate, to } from "@/app/routes";
import { plural } from "@/data/format";
import { useHub } from "@/data/hub";
import { forgetRunner, runnerName, type RunnerRow } from "@/data/runners";
import { titleOf, useSessionStatus } from "@/features/sessions";
import { api, messageOf } from "@/net/api";
import { Banner, Card, CopyButton, Section } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/confirm";
import { StatusMark } from "@/ui/StatusMark";
import { RelativeTime } from "@/ui/time";
import { toast } from "@/ui/toast";
import { platformName } from "./words";

export function Overview({ machine }: { machine: RunnerRow }) {
  const { info, online } = machine;
  const sessions = useHub((state) => [...state.sessions.values()].filter((row) => row.live && row.info.runnerId === machine.id));
  const running = sessions.filter((row) => row.info.isActive).length;
  return (
    <div className="flex flex-col gap-8">
      {info.warnings?.map((warning) => (
        <Banner key={warning} tone="wait" icon={TriangleAlert}>
          {warning}
        </Banner>
      ))}
      <dl className="grid grid-cols-[auto_1fr] gap-x-8 gap-y-2.5 text-ui">
        <Fact name="System">{platformName(info.platform) ?? "Unknown"}</Fact>
        <Fact name="Version">{info.version ?? "Unknown"}</Fact>
        <Fact name="Folders it may use">
          {info.roots.length === 0 ? (
            "All that its user can reach"
          ) : (
            <ul>
              {info.roots.map((root) => (
                <li key={root} className="font-mono text-code break-all">
                  {root}
                </li>
              ))}
            </ul>
          )}
        </Fact>
        {!online && (
          <Fact name="Last seen">
            <RelativeTime at={machine.seenAt} />
          </Fact>
        )}
        <Fact name="Id">
          <span className="inline-flex max-w-full items-center gap-1">
            <code className="truncate font-mono text-code text-text-2">{machine.id}</code>
            <CopyButton text={machine.id} label="Copy id" />
          </span>
        </Fact>
      </dl>
      {sessions.length > 0 && (
        <Section title="Sessions" description={running > 0 ? `${running} of ${sessions.length} working right now` : plural(sessions.length, "session")}>
          <Card className="divide-y divide-line overflow-hidden">
            {sessions.map((row) => (
              <Link key={row.id} href={to.session(row.id)} className="flex min-h-11 items-center gap-3 px-4 py-2 text-ui hover:bg-hover focus-visible:outline-offset-[-2px]">
                <Mark id={row.id} />
                <span className="min-w-0 flex-1 truncate">{titleOf(row)}</span>
                <RelativeTime at={row.touchedAt} className="text-meta text-text-3" />
              </Link>
            ))}
          </Card>
        </Section>
      )}
      <Section title="Control">
        {online ? <Control machine={machine} running={running} /> : <Forget machine={machine} />}
      </Section>
    </div>
  );
}

function Mark({ id }: { id: string }) {
  return <StatusMark status={useSessionStatus(id)} />;
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-text-3">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

function Control({ machine, running }: { machine: RunnerRow; running: number }) {
  const [waiting, setWaiting] = useState<"restart" | "stop" | undefined>();
  const name = runnerName(machine.info);
  // "Restarting" ends when the machine registered again: its row is a new object then.
  const [before] = useState(machine.seenAt);
  useEffect(() => {
    if (waiting === "restart" && machine.online && machine.seenAt > before) setWaiting(undefined);
  }, [waiting, machine, before]);
  const act = async (action: "restart" | "stop") => {
    const interrupted = running > 0 ? ` ${plural(running, "working session")} will be interrupted.` : "";
    const yes = await confirm({
      title: action === "restart" ? `Restart ${name}?` : `Stop ${name}?`,
      body: action === "restart" ? `The runner starts again with the installed version; sessions survive.${interrupted}` : `It goes offline until somebody starts it there.${interrupted}`,
      action: action === "restart" ? "Restart" : "Stop",
      danger: action === "stop",
    });
    if (!yes) return;
    setWaiting(action);
    try {
      await api.post(`/api/runners/${action}`, { runnerId: machine.id });
      toast(action === "restart" ? `${name} is restarting` : `${name} is stopping`);
    } catch (error) {
      setWaiting(undefined);
      toast(messageOf(error), { tone: "fail" });
    }
  };
  return (
    <div className="flex flex-wrap gap-2">
      <Button icon={RotateCw} busy={waiting === "restart"} onClick={() => void act("restart")}>
        Restart
      </Button>
      <Button icon={Power} kind="danger" busy={waiting === "stop"} onClick={() => void act("stop")}>
        Stop
      </Button>
    </div>
  );
}

function Forget({ machine }: { machine: RunnerRow }) {
  const forget = async () => {
    const name = runnerName(machine.info);
    if (!(await confirm({ title: `Remove ${name} from the list?`, body: "It comes back by itself when it connects again. To keep it out, revoke its key.", action: "Remove" }))) return;
    try {
      await api.del(`/api/runners/${encodeURIComponent(machine.id)}`);
    } catch (error) {
      // A relay that does not keep offline machines has nothing to remove.
      if (messageOf(error) !== "Not found") console.warn("the relay kept the machine", error);
    }
    forgetRunner(machine.id);
    navigate(to.runners());
  };
  return (
    <div>
      <Button icon={Trash2} onClick={() => void forget()}>
        Remove from the list
      </Button>
    </div>
  );
}
