import { ChevronRight } from "lucide-react";
import { lazy, Suspense, useMemo, useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { Link, navigate, to, type Route } from "@/app/routes";
import { statusOf, type OpenDecision } from "@/data/attention";
import { hub, useAllDecisions, useSession, type SessionRow } from "@/data/hub";
import { projectOf } from "@/data/projects";
import { useRunners } from "@/data/runners";
import { unreadStore } from "@/data/unread";
import { NewSession } from "@/features/new-session";
import { titleOf } from "@/features/sessions";
import { minuteTicker } from "@/net/clock";
import { Card, Skeleton } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { ErrorBoundary } from "@/app/ErrorBoundary";
import { Icon } from "@/ui/Icon";
import { StatusMark, STATUS } from "@/ui/StatusMark";
import { RelativeTime } from "@/ui/time";
import { ConnectMachine } from "./ConnectMachine";
import { ModelOffers } from "./ModelOffers";

const DecisionCard = lazy(() => import("@/features/session/decisions").then((part) => ({ default: part.DecisionCard })));

/** Sessions listed under the form. */
const RECENT = 6;

/** Inbox and new-session form: what waits for you, what to do next, what is going on. */
export function Home({ route }: { route: Route & { name: "home" } }) {
  const decisions = useAllDecisions();
  const { list, phase } = useRunners();
  const online = list.filter((machine) => machine.online);
  const runner = online.find((machine) => machine.id === route.runner) ?? online[0];
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto flex w-full max-w-[46rem] flex-col gap-8 px-4 pt-[max(6dvh,32px)] pb-16 m:px-8 l:pt-[max(11dvh,48px)]">
        <div className="flex flex-col gap-5">
          <h1 className="text-greet font-semibold tracking-[-0.01em] text-balance">{list.length === 0 && phase !== "loading" ? "Let's connect your first machine" : "What's next?"}</h1>
          {runner ? (
            <NewSession
              key={`${route.runner ?? ""}|${route.cwd ?? ""}|${route.prompt ?? ""}|${route.new ?? ""}`}
              prefill={route}
              focus={route.new !== undefined || decisions.length === 0}
              below={(info, model, onModel) => <ModelOffers runner={info} model={model} onModel={onModel} />}
            />
          ) : phase === "loading" ? (
            <Skeleton className="h-36 w-full" />
          ) : list.length === 0 ? (
            <ConnectMachine />
          ) : (
            <NobodyHome names={list.map((machine) => machine.info.name ?? machine.id.slice(0, 8))} />
          )}
        </div>
        {decisions.length > 0 && <Inbox decisions={decisions} />}
        <Recent skip={new Set(decisions.map((decision) => decision.sessionId))} />
      </div>
    </div>
  );
}

function NobodyHome({ names }: { names: readonly string[] }) {
  return (
    <Card className="flex flex-col gap-3 p-5">
      <p className="text-ui">
        <span className="font-medium">{names.length === 1 ? `${names[0]} is offline.` : "None of your machines is online."}</span>{" "}
        <span className="text-text-2">Wake it up or start <code className="font-mono text-code">pizzapi runner</code> there. You can read earlier conversations meanwhile.</span>
      </p>
      <div className="flex gap-2">
        <Button onClick={() => navigate(to.runners())}>Machines</Button>
        <Button onClick={() => navigate(to.history())}>History</Button>
      </div>
    </Card>
  );
}

function Inbox({ decisions }: { decisions: readonly OpenDecision[] }) {
  return (
    <section aria-label="Waiting for you" className="flex flex-col gap-3">
      <h2 className="text-ui font-semibold">
        Waiting for you <span className="ml-1 font-book text-text-3 tnum">{decisions.length}</span>
      </h2>
      {decisions.map((decision) => (
        <InboxItem key={`${decision.sessionId}/${decision.id}`} decision={decision} />
      ))}
    </section>
  );
}

function InboxItem({ decision }: { decision: OpenDecision }) {
  const row = useSession(decision.sessionId);
  if (!row) return null;
  return (
    <div className="flex flex-col gap-1.5">
      <Link href={to.session(row.id)} className="group flex w-fit max-w-full items-center gap-2 rounded-ctl text-code text-text-2 hover:text-text">
        <StatusMark status="needs" size={13} hidden />
        <span className="truncate font-medium">{titleOf(row)}</span>
        <span className="truncate text-text-3">{[projectOf(row.info.cwd).name, row.info.runnerName].filter(Boolean).join(" · ")}</span>
        <Icon icon={ChevronRight} size={12} />
      </Link>
      <ErrorBoundary what="This question">
        <Suspense fallback={<Skeleton className="h-28" />}>
          <DecisionCard decision={decision} sessionId={decision.sessionId} variant="inbox" />
        </Suspense>
      </ErrorBoundary>
    </div>
  );
}

function Recent({ skip }: { skip: ReadonlySet<string> }) {
  const sessions = useStore(hub, (state) => state.sessions);
  const unread = useStore(unreadStore, (state) => state.ids);
  const now = useSyncExternalStore(minuteTicker.subscribe, minuteTicker.get);
  const rows = useMemo(
    () =>
      [...sessions.values()]
        .filter((row) => row.live && !skip.has(row.id))
        .sort((a, b) => Number(b.info.isActive) - Number(a.info.isActive) || b.touchedAt - a.touchedAt)
        .slice(0, RECENT),
    [sessions, skip],
  );
  if (rows.length === 0) return null;
  return (
    <section aria-label="Going on" className="flex flex-col gap-2">
      <h2 className="text-ui font-semibold">Going on</h2>
      <Card className="divide-y divide-line overflow-hidden">
        {rows.map((row) => (
          <RecentRow key={row.id} row={row} unread={unread.has(row.id)} now={now} />
        ))}
      </Card>
    </section>
  );
}

function RecentRow({ row, unread, now }: { row: SessionRow; unread: boolean; now: number }) {
  const status = statusOf({ live: row.live, presence: row.info.presence, isActive: row.info.isActive, heardAt: row.heardAt, meta: row.meta, decisions: 0, failed: row.failed !== undefined, unread, starting: false, now });
  const todo = row.meta?.todoList.find((entry) => entry.status === "in_progress");
  return (
    <Link href={to.session(row.id)} className="flex min-h-13 items-center gap-3 px-4 py-2 hover:bg-hover focus-visible:outline-offset-[-2px]">
      <StatusMark status={status} />
      <span className="flex min-w-0 flex-1 flex-col">
        <span className="truncate text-ui font-medium">{titleOf(row)}</span>
        <span className="truncate text-meta text-text-3">{[todo?.text ?? STATUS[status].text, projectOf(row.info.cwd).name, row.info.runnerName].filter(Boolean).join(" · ")}</span>
      </span>
      <RelativeTime at={row.touchedAt} className="shrink-0 text-meta text-text-3 tnum" />
    </Link>
  );
}

