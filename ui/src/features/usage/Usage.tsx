import { useQuery } from "@tanstack/react-query";
import { ChartColumn } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { cost, plural, tokens } from "@/data/format";
import { usageQuery, type UsageRange } from "@/data/queries";
import { messageOf } from "@/net/api";
import { Card, EmptyState, ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Bars, Ranking } from "@/ui/charts/Bars";
import { Segmented } from "@/ui/Choice";
import { RelativeTime } from "@/ui/time";
import { readUsage, type UsageReport } from "./data";

const RANGES: { value: UsageRange; label: string }[] = [
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
  { value: "90d", label: "90 days" },
  { value: "all", label: "All" },
];
/** Rows of the rankings. */
const TOP = 8;

export function Usage({ runnerId }: { runnerId: string }) {
  const [range, setRange] = useState<UsageRange>("30d");
  const usage = useQuery(usageQuery(runnerId, range));
  const report = useMemo(() => (usage.data === undefined ? undefined : readUsage(usage.data)), [usage.data]);
  return (
    <div className="flex flex-col gap-6">
      <Segmented label="Period" value={range} onChange={setRange} options={RANGES} />
      {usage.isPending && <SkeletonRows rows={6} />}
      {usage.error && <ErrorState title="Usage couldn't be read" detail={messageOf(usage.error)} onRetry={() => void usage.refetch()} />}
      {usage.data !== undefined && !report && <ErrorState title="The machine sent a report this page can't read" onRetry={() => void usage.refetch()} />}
      {report && (report.summary.totalSessions === 0 ? <EmptyState icon={ChartColumn} title="No sessions in this period" /> : <Report report={report} />)}
    </div>
  );
}

function Report({ report }: { report: UsageReport }) {
  const { summary, daily } = report;
  const activeDays = daily.filter((day) => day.sessions > 0 || day.cost > 0).length;
  const labels = daily.map((day) => new Date(`${day.date}T12:00:00`).toLocaleDateString(undefined, { month: "short", day: "numeric" }));
  const all = summary.inputTokens + summary.outputTokens + summary.cacheReadTokens + summary.cacheWriteTokens;
  return (
    <div className="flex flex-col gap-10">
      <div className="grid grid-cols-2 gap-3 l:grid-cols-4">
        <Figure name="Cost">{cost(summary.totalCost)}</Figure>
        <Figure name="Per active day">{cost(activeDays ? summary.totalCost / activeDays : 0)}</Figure>
        <Figure name="Sessions">{summary.totalSessions.toLocaleString()}</Figure>
        <Figure name="Tokens">{tokens(all)}</Figure>
      </div>
      {summary.sessionsWithCost < summary.totalSessions && (
        <p className="-mt-6 text-meta text-text-3">
          {summary.sessionsWithCost} of {plural(summary.totalSessions, "session")} report a cost.
        </p>
      )}
      <Bars
        title="Cost per day"
        labels={labels}
        format={cost}
        series={[
          { name: "Output", color: "var(--accent)", values: daily.map((day) => day.costOutput) },
          { name: "Input", color: "var(--run)", values: daily.map((day) => day.costInput) },
          { name: "Cache", color: "var(--line-strong)", values: daily.map((day) => day.costCacheRead + day.costCacheWrite) },
        ]}
      />
      <Bars
        title="Tokens per day"
        labels={labels}
        format={tokens}
        series={[
          { name: "Output", color: "var(--accent)", values: daily.map((day) => day.outputTokens) },
          { name: "Input", color: "var(--run)", values: daily.map((day) => day.inputTokens) },
          { name: "Cache", color: "var(--line-strong)", values: daily.map((day) => day.cacheTokens) },
        ]}
      />
      <div className="grid gap-10 l:grid-cols-2">
        <Section title="By model">
          <Ranking format={cost} rows={top(report.byModel)} />
        </Section>
        <Section title="By project">
          <Ranking format={cost} rows={top(report.byProject)} />
        </Section>
      </div>
      {report.recent.length > 0 && (
        <Section title="Recent sessions">
          <Card className="overflow-x-auto" tabIndex={0} role="region" aria-label="Recent sessions">
            <table className="w-full text-ui tnum">
              <thead className="text-left text-meta text-text-3">
                <tr>
                  {["Session", "Model", "Messages", "Cost", "Started"].map((head, at) => (
                    <th key={head} className={`px-4 py-2 font-medium whitespace-nowrap ${at > 1 ? "text-right" : ""}`}>
                      {head}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {report.recent.slice(0, 50).map((row) => (
                  <tr key={row.id} className="border-t border-line">
                    <td className="max-w-60 truncate px-4 py-2">{row.name}</td>
                    <td className="max-w-40 truncate px-4 py-2 text-text-2">{row.model}</td>
                    <td className="px-4 py-2 text-right">{row.messages}</td>
                    <td className="px-4 py-2 text-right">{row.cost === null ? "–" : cost(row.cost)}</td>
                    <td className="px-4 py-2 text-right text-text-3">
                      <RelativeTime at={row.startedAt} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Card>
        </Section>
      )}
    </div>
  );
}

function top(rows: readonly { name: string; sessions: number; cost: number }[]) {
  return [...rows]
    .sort((a, b) => b.cost - a.cost || b.sessions - a.sessions)
    .slice(0, TOP)
    .map((row) => ({ name: row.name, value: row.cost, note: plural(row.sessions, "session") }));
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Card className="flex flex-col gap-0.5 px-4 py-3">
      <span className="text-meta text-text-3">{name}</span>
      <span className="text-title font-semibold tnum">{children}</span>
    </Card>
  );
}
