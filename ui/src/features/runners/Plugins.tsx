import { useQuery } from "@tanstack/react-query";
import { Puzzle, RefreshCw, Webhook } from "lucide-react";
import { useState } from "react";
import { plural, shortPath } from "@/data/format";
import { pluginsQuery } from "@/data/queries";
import { useRunner } from "@/data/runners";
import { api, messageOf, url } from "@/net/api";
import type { RunnerPlugin } from "@/protocol/wire";
import { Badge, Card, EmptyState, ErrorState, SkeletonRows } from "@/ui/bits";
import { Disclosure } from "@/ui/Disclosure";
import { IconButton } from "@/ui/IconButton";
import { toast } from "@/ui/toast";

export function Plugins({ runnerId }: { runnerId: string }) {
  const list = useQuery(pluginsQuery(runnerId));
  const [busy, setBusy] = useState(false);
  const refresh = async () => {
    setBusy(true);
    try {
      await api.post(url(["api", "runners", runnerId, "plugins", "refresh"]));
      await list.refetch();
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
    setBusy(false);
  };
  return (
    <div className="flex flex-col gap-4">
      <div className="flex items-center gap-2">
        <p className="flex-1 text-ui text-text-2">Bundles of commands, skills, agents and hooks. Those of a project are asked about when a session starts there.</p>
        <IconButton icon={RefreshCw} label="Look again on disk" busy={busy} onClick={() => void refresh()} />
      </div>
      {list.isPending && <SkeletonRows rows={4} />}
      {list.error && <ErrorState title="The machine didn't answer" detail={messageOf(list.error)} onRetry={() => void list.refetch()} />}
      {list.data?.length === 0 && <EmptyState icon={Puzzle} title="No plugins on this machine" />}
      {(list.data?.length ?? 0) > 0 && (
        <Card className="divide-y divide-line">
          {list.data?.map((plugin) => (
            <PluginLine key={plugin.rootPath || plugin.name} plugin={plugin} />
          ))}
        </Card>
      )}
    </div>
  );
}

function PluginLine({ plugin }: { plugin: RunnerPlugin }) {
  const [open, setOpen] = useState(false);
  const commands = plugin.commands ?? [];
  const skills = plugin.skills ?? [];
  const parts = [
    commands.length > 0 && plural(commands.length, "command"),
    skills.length > 0 && plural(skills.length, "skill"),
    (plugin.agents?.length ?? 0) > 0 && plural(plugin.agents?.length ?? 0, "agent"),
    (plugin.hookEvents?.length ?? 0) > 0 && plural(plugin.hookEvents.length, "hook"),
    plugin.hasMcp && "MCP",
  ].filter((part): part is string => Boolean(part));
  return (
    <Disclosure
      open={open}
      onToggle={() => setOpen(!open)}
      lineClass="min-h-14 px-4 py-2 hover:bg-hover"
      line={
        <span className="flex min-w-0 flex-1 flex-col">
          <span className="flex items-center gap-2 text-ui font-medium">
            <span className="truncate">{plugin.name}</span>
            {plugin.version && <Badge>{plugin.version}</Badge>}
          </span>
          <span className="truncate text-meta text-text-3">{plugin.description || parts.join(" · ")}</span>
        </span>
      }
    >
      <div className="flex flex-col gap-3 px-4 pb-4 pl-9 text-ui">
        <p className="text-meta text-text-3">{parts.join(" · ")}</p>
        {commands.length > 0 && (
          <ul className="flex flex-col gap-1">
            {commands.map((command) => (
              <li key={command.name}>
                <code className="font-mono text-code">
                  /{command.name} {command.argumentHint}
                </code>
                {command.description && <span className="ml-2 text-text-2">{command.description}</span>}
              </li>
            ))}
          </ul>
        )}
        {skills.length > 0 && <p className="text-text-2">Skills: {skills.map((skill) => skill.name).join(", ")}</p>}
        {(plugin.hookEvents?.length ?? 0) > 0 && <p className="text-text-2">Runs its own commands at: {plugin.hookEvents.join(", ")}</p>}
        <p className="text-meta text-text-3">
          <code className="font-mono break-all">{shortPath(plugin.rootPath)}</code>
          {plugin.author && ` · ${plugin.author}`}
        </p>
      </div>
    </Disclosure>
  );
}

const MEANING: Record<string, string> = {
  PreToolUse: "Before a tool runs; may refuse it",
  PostToolUse: "After a tool ran",
  Input: "When you send something",
  UserPromptSubmit: "When you send something",
  SessionStart: "When a session starts",
  SessionEnd: "When a session ends",
  Stop: "When the agent finishes",
  SubagentStop: "When a sub-agent finishes",
  Notification: "When the agent wants attention",
  PreCompact: "Before the conversation is compacted",
};

export function Hooks({ runnerId }: { runnerId: string }) {
  const hooks = useRunner(runnerId)?.info.hooks ?? [];
  if (hooks.length === 0) return <EmptyState icon={Webhook} title="No hooks on this machine">Hooks are commands of yours that run at certain moments. They are set up in the machine's configuration.</EmptyState>;
  return (
    <Card className="divide-y divide-line">
      {hooks.map((hook) => (
        <div key={hook.type} className="flex flex-col gap-1 px-4 py-3">
          <p className="text-ui font-medium">{hook.type}</p>
          {MEANING[hook.type] && <p className="text-ui text-text-2">{MEANING[hook.type]}</p>}
          <ul className="mt-1 flex flex-wrap gap-1.5">
            {hook.scripts.map((script) => (
              <li key={script} className="rounded-ctl bg-press px-2 py-0.5 font-mono text-code">
                {script}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </Card>
  );
}
