import { useMemo } from "react";
import { HardDrive } from "lucide-react";
import { useRunner } from "@/data/runners";
import { EmptyState } from "@/ui";
import { Terminals } from "./Terminals";

/** Terminals of a machine, without a session. */
export function RunnerTerminal({ runnerId }: { runnerId: string }) {
  const runner = useRunner(runnerId);
  const root = runner?.info.roots[0] ?? null;
  const place = useMemo(() => ({ key: `runner:${runnerId}`, runnerId, cwd: root }), [runnerId, root]);
  if (!runner?.online) return <EmptyState icon={HardDrive} title="This machine is not online." />;
  return (
    <div className="flex h-[min(36rem,70dvh)] flex-col overflow-hidden rounded-card border border-line">
      <Terminals place={place} autoStart={false} />
    </div>
  );
}
