import { Gauge } from "lucide-react";
import type { ReactNode } from "react";
import { cost, tokens } from "@/data/format";
import { useMeta, useSession } from "@/data/hub";
import { EmptyState } from "@/ui";
import { list, number, object, words } from "@/transcript/json";
import { useFacts, useOpenSession } from "../context";

/** What fills the model's memory, what it cost, and which servers stand behind the session's tools. */
export function ContextPanel() {
  const { sessionId, model } = useOpenSession();
  const facts = useFacts(model, (state) => state);
  const usage = useMeta(sessionId, (meta) => meta.tokenUsage) ?? null;
  const report = object(useMeta(sessionId, (meta) => meta.mcpStartupReport));
  const auth = useMeta(sessionId, (meta) => meta.authSource) ?? null;
  const row = useSession(sessionId);
  const servers = list(report?.["serverTimings"]).flatMap((entry) => {
    const raw = object(entry);
    const name = raw && words(raw["name"]);
    return raw && name ? [{ name, tools: number(raw["toolCount"]) ?? 0, ms: number(raw["durationMs"]), error: words(raw["error"]), late: raw["timedOut"] === true }] : [];
  });
  if (!usage && !facts.model && servers.length === 0) return <EmptyState icon={Gauge} title="Nothing to show yet" />;
  const window = facts.model?.contextWindow ?? null;
  const used = usage?.contextTokens ?? null;
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-6 overflow-y-auto p-4 text-ui">
      <Facts title="Model">
        <Fact name="Model">{facts.model?.name ?? "none"}</Fact>
        <Fact name="Provider">{facts.model?.provider ?? "none"}</Fact>
        {auth && <Fact name="Credentials">{auth}</Fact>}
        <Fact name="Thinking">{facts.thinkingLevel ?? "off"}</Fact>
      </Facts>
      {usage && (
        <Facts title="Tokens">
          <Fact name="In context">{used === null ? "not known" : window === null ? tokens(used) : `${tokens(used)} of ${tokens(window)}`}</Fact>
          <Fact name="Input">{tokens(usage.input)}</Fact>
          <Fact name="Output">{tokens(usage.output)}</Fact>
          <Fact name="Read from cache">{tokens(usage.cacheRead)}</Fact>
          <Fact name="Written to cache">{tokens(usage.cacheWrite)}</Fact>
          <Fact name="Cost">{cost(usage.cost)}</Fact>
        </Facts>
      )}
      {servers.length > 0 && (
        <Facts title="MCP servers">
          {servers.map((server) => (
            <Fact key={server.name} name={server.name}>
              {server.error ? <span className="text-fail">{server.error}</span> : server.late ? <span className="text-wait">timed out</span> : `${server.tools} tools${server.ms === null ? "" : `, ${Math.round(server.ms)} ms`}`}
            </Fact>
          ))}
        </Facts>
      )}
      <Facts title="Session">
        <Fact name="Folder">
          <span className="font-mono text-code">{facts.cwd ?? row?.info.cwd ?? ""}</span>
        </Fact>
        <Fact name="Id">
          <span className="font-mono text-code select-all">{sessionId}</span>
        </Fact>
      </Facts>
    </div>
  );
}

function Facts({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h2 className="mb-1 text-meta font-medium text-text-3">{title}</h2>
      <dl className="flex flex-col divide-y divide-line">{children}</dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex gap-4 py-1.5">
      <dt className="shrink-0 text-text-2">{name}</dt>
      <dd className="min-w-0 flex-1 text-right break-words text-text tnum">{children}</dd>
    </div>
  );
}
