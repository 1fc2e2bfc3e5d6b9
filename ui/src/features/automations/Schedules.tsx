import { useQueries } from "@tanstack/react-query";
import { Clock, Trash2 } from "lucide-react";
import { Link, to } from "@/app/routes";
import { baseName } from "@/data/format";
import { queryClient } from "@/data/queries";
import { runnerName, useRunners, type RunnerRow } from "@/data/runners";
import { api, messageOf, url } from "@/net/api";
import { Card, Section } from "@/ui/bits";
import { confirm } from "@/ui/confirm";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { toast } from "@/ui/toast";
import { schedulesQuery, when, type Schedule } from "./queries";

/** What sessions asked to be woken for. */
export function Schedules() {
  const { list } = useRunners();
  const answers = useQueries({ queries: list.map((machine) => schedulesQuery(machine.id)) });
  const rows = list.flatMap((machine, at) => (answers[at]?.data ?? []).map((schedule) => ({ machine, schedule })));
  if (rows.length === 0) return null;
  return (
    <Section title="Schedules" description="Set by agents, for themselves.">
      <Card className="divide-y divide-line">
        {rows.map(({ machine, schedule }) => (
          <Line key={schedule.id} machine={machine} schedule={schedule} />
        ))}
      </Card>
    </Section>
  );
}

function Line({ machine, schedule }: { machine: RunnerRow; schedule: Schedule }) {
  const name = schedule.sessionName ?? (schedule.cwd ? `Session in ${baseName(schedule.cwd)}` : "Session");
  const remove = async () => {
    if (!(await confirm({ title: "Remove this schedule?", body: `“${name}” is not woken by it any more.`, action: "Remove", danger: true }))) return;
    try {
      await api.del(url(["api", "sessions", schedule.sessionId, "trigger-subscriptions", schedule.triggerType], { subscriptionId: schedule.id }));
      await queryClient.invalidateQueries({ queryKey: schedulesQuery(machine.id).queryKey });
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
  };
  return (
    <div className="flex min-h-14 items-center gap-3 px-4 py-2">
      <Icon icon={Clock} className="text-text-3" />
      <Link href={to.session(schedule.sessionId)} className="flex min-w-0 flex-1 flex-col rounded-ctl hover:underline">
        <span className="truncate text-ui font-medium">{name}</span>
        <span className="truncate text-meta text-text-3">
          {when(schedule.triggerType, schedule.params)} · {runnerName(machine.info)}
        </span>
      </Link>
      <IconButton icon={Trash2} label="Remove schedule" onClick={() => void remove()} />
    </div>
  );
}
