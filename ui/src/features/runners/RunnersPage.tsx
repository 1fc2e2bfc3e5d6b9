import { ChevronRight, Laptop, Plus, Server, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { Page } from "@/app/Page";
import { Link, to } from "@/app/routes";
import { plural } from "@/data/format";
import { useHub } from "@/data/hub";
import { runnerName, useRunners, type RunnerRow } from "@/data/runners";
import { ConnectMachine } from "@/features/home/ConnectMachine";
import { Badge, Card, SkeletonRows } from "@/ui/bits";
import { Button, buttonClass } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Icon } from "@/ui/Icon";
import { RelativeTime } from "@/ui/time";
import { platformName } from "./words";

export function RunnersPage() {
  const { list, phase } = useRunners();
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Machines"
      description="Where your agents run."
      actions={
        list.length > 0 && (
          <>
            <Link href={to.automations()} className={buttonClass("quiet")}>
              Automations
            </Link>
            <Button icon={Plus} onClick={() => setAdding(true)}>
              Connect
            </Button>
          </>
        )
      }
    >
      {list.length === 0 && phase === "loading" && <SkeletonRows rows={3} />}
      {list.length === 0 && phase !== "loading" && <ConnectMachine />}
      {list.length > 0 && (
        <Card className="divide-y divide-line overflow-hidden">
          {list.map((machine) => (
            <RunnerLine key={machine.id} machine={machine} />
          ))}
        </Card>
      )}
      <Dialog open={adding} onClose={() => setAdding(false)} title="Connect another machine" className="m:w-[min(36rem,calc(100vw-32px))]">
        <div className="pb-4">
          <ConnectMachine />
        </div>
      </Dialog>
    </Page>
  );
}

function RunnerLine({ machine }: { machine: RunnerRow }) {
  const { info } = machine;
  const sessions = useHub((state) => [...state.sessions.values()].filter((row) => row.live && row.info.runnerId === machine.id).length);
  const facts = [platformName(info.platform), info.version ? `v${info.version.replace(/^v/, "")}` : undefined, sessions > 0 ? plural(sessions, "session") : undefined].filter(Boolean);
  return (
    <Link href={to.runner(machine.id)} className="flex min-h-16 items-center gap-3.5 px-4 py-3 hover:bg-hover focus-visible:outline-offset-[-2px]">
      <span className="flex size-9 shrink-0 items-center justify-center rounded-ctl bg-press text-text-2">
        <Icon icon={info.platform === "linux" ? Server : Laptop} size={18} />
      </span>
      <span className="flex min-w-0 flex-1 flex-col">
        <span className="truncate text-ui font-medium">{runnerName(info)}</span>
        <span className="truncate text-meta text-text-3">{facts.join(" · ")}</span>
      </span>
      {(info.warnings?.length ?? 0) > 0 && (
        <Badge tone="wait">
          <Icon icon={TriangleAlert} size={12} />
          Warning
        </Badge>
      )}
      <Liveness machine={machine} />
      <Icon icon={ChevronRight} className="text-text-3" />
    </Link>
  );
}

export function Liveness({ machine }: { machine: RunnerRow }) {
  if (machine.info.status === "reconnecting") return <Badge tone="wait">Reconnecting</Badge>;
  if (machine.online) {
    return (
      <Badge tone="done">
        <span className="size-1.5 rounded-full bg-current" aria-hidden="true" />
        Online
      </Badge>
    );
  }
  return (
    <Badge>
      Offline <RelativeTime at={machine.seenAt} />
    </Badge>
  );
}
