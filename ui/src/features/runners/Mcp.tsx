import { useQuery } from "@tanstack/react-query";
import { Network, Pencil, Plus, RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { queryClient, runnerSettingsQuery } from "@/data/queries";
import { isObject } from "@/data/storage";
import { api, messageOf, url } from "@/net/api";
import { Badge, Card, EmptyState, ErrorState, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/confirm";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, TextArea } from "@/ui/Field";
import { IconButton } from "@/ui/IconButton";
import { toast } from "@/ui/toast";

type Servers = Record<string, Record<string, unknown>>;

function serversOf(config: Record<string, unknown>): Servers {
  const raw = config["mcpServers"];
  if (!isObject(raw)) return {};
  return Object.fromEntries(Object.entries(raw).filter((entry): entry is [string, Record<string, unknown>] => isObject(entry[1])));
}

function summary(server: Record<string, unknown>): string {
  if (typeof server["url"] === "string") return server["url"];
  const args = Array.isArray(server["args"]) ? server["args"].filter((arg) => typeof arg === "string") : [];
  return [server["command"], ...args].filter((part) => typeof part === "string").join(" ");
}

/** The tool servers this machine's sessions start with. Secret values are masked by the machine and kept when saved. */
export function Mcp({ runnerId }: { runnerId: string }) {
  const settings = useQuery(runnerSettingsQuery(runnerId));
  const [editing, setEditing] = useState<string | true | undefined>();
  const [busy, setBusy] = useState(false);
  const servers = serversOf(settings.data?.config ?? {});
  const reload = async () => {
    setBusy(true);
    try {
      const answer = await api.post<{ reloaded?: number; failed?: number }>(url(["api", "runners", runnerId, "mcp", "reload"]));
      toast(`Reloaded in ${answer.reloaded ?? 0} sessions${answer.failed ? `, ${answer.failed} did not answer` : ""}`);
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
    setBusy(false);
  };
  const store = async (next: Servers) => {
    await api.put(url(["api", "runners", runnerId, "settings"]), { section: "mcpServers", value: next });
    await queryClient.invalidateQueries({ queryKey: runnerSettingsQuery(runnerId).queryKey });
  };
  const remove = async (name: string) => {
    if (!(await confirm({ title: `Remove “${name}”?`, body: "New sessions start without it. Running ones keep it until they reload.", action: "Remove", danger: true }))) return;
    const { [name]: _gone, ...rest } = servers;
    try {
      await store(rest);
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
  };
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <p className="min-w-48 flex-1 text-ui text-text-2">Servers that lend their tools to every session on this machine.</p>
        <Button icon={RotateCw} busy={busy} onClick={() => void reload()}>
          Reload in sessions
        </Button>
        <Button icon={Plus} onClick={() => setEditing(true)}>
          Add
        </Button>
      </div>
      {settings.isPending && <SkeletonRows rows={3} />}
      {settings.error && <ErrorState title="The machine didn't answer" detail={messageOf(settings.error)} onRetry={() => void settings.refetch()} />}
      {settings.data && Object.keys(servers).length === 0 && <EmptyState icon={Network} title="No MCP servers" />}
      {Object.keys(servers).length > 0 && (
        <Card className="divide-y divide-line">
          {Object.entries(servers).map(([name, server]) => (
            <div key={name} className="flex min-h-14 items-center gap-2 px-4 py-2">
              <span className="flex min-w-0 flex-1 flex-col">
                <span className="flex items-center gap-2 text-ui font-medium">
                  <span className="truncate">{name}</span>
                  <Badge>{typeof server["url"] === "string" ? "http" : "local"}</Badge>
                </span>
                <code className="truncate font-mono text-meta text-text-3">{summary(server)}</code>
              </span>
              <IconButton icon={Pencil} label={`Edit ${name}`} onClick={() => setEditing(name)} />
              <IconButton icon={Trash2} label={`Remove ${name}`} onClick={() => void remove(name)} />
            </div>
          ))}
        </Card>
      )}
      {editing !== undefined && (
        <ServerDialog
          name={editing === true ? "" : editing}
          server={editing === true ? { command: "npx", args: ["-y", "some-mcp-server"] } : (servers[editing] ?? {})}
          onClose={() => setEditing(undefined)}
          onSave={async (name, server) => {
            const rest = { ...servers };
            if (editing !== true) delete rest[editing];
            await store({ ...rest, [name]: server });
            setEditing(undefined);
            toast("Saved. New sessions use it; reload to bring it to running ones.");
          }}
        />
      )}
    </div>
  );
}

function ServerDialog({ name, server, onClose, onSave }: { name: string; server: Record<string, unknown>; onClose: () => void; onSave: (name: string, server: Record<string, unknown>) => Promise<void> }) {
  const [label, setLabel] = useState(name);
  const [text, setText] = useState(() => JSON.stringify(server, null, 2));
  const [problem, setProblem] = useState<{ field: "name" | "text"; words: string } | undefined>();
  const [busy, setBusy] = useState(false);
  const save = async () => {
    if (!/^[\w.-]{1,64}$/.test(label)) return setProblem({ field: "name", words: "Letters, digits, dots and dashes only." });
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      return setProblem({ field: "text", words: `Not valid JSON: ${error instanceof Error ? error.message : "unreadable"}` });
    }
    if (!isObject(parsed) || (typeof parsed["command"] !== "string" && typeof parsed["url"] !== "string")) return setProblem({ field: "text", words: "It needs a “command” or a “url”." });
    setBusy(true);
    try {
      await onSave(label, parsed);
    } catch (error) {
      setProblem({ field: "text", words: messageOf(error) });
    }
    setBusy(false);
    return undefined;
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={name ? `Edit ${name}` : "Add an MCP server"}
      className="m:w-[min(38rem,calc(100vw-32px))]"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="ink" busy={busy} onClick={() => void save()}>
            Save
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        <Field label="Name" error={problem?.field === "name" ? problem.words : undefined}>
          {(control) => <Input {...control} value={label} autoFocus={name === ""} onChange={(event) => setLabel(event.target.value)} />}
        </Field>
        <Field label="Definition" hint="command, args, env — or url, headers. Masked values (***) stay as they are." error={problem?.field === "text" ? problem.words : undefined}>
          {(control) => <TextArea {...control} mono className="h-56" spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />}
        </Field>
      </div>
    </Dialog>
  );
}
