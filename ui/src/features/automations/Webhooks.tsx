import { queryOptions, useQuery } from "@tanstack/react-query";
import { Plus, RefreshCw, Trash2, Webhook } from "lucide-react";
import { useState } from "react";
import { shortPath } from "@/data/format";
import { queryClient } from "@/data/queries";
import { runnerName, useRunners } from "@/data/runners";
import { isObject } from "@/data/storage";
import { api, ApiError, messageOf, url } from "@/net/api";
import { Banner, Card, CommandLine, CopyButton, EmptyState, ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Switch } from "@/ui/Choice";
import { confirm } from "@/ui/confirm";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select, TextArea } from "@/ui/Field";
import { IconButton } from "@/ui/IconButton";
import { toast } from "@/ui/toast";

interface Hook {
  id: string;
  name: string;
  source: string;
  secret: string | undefined;
  runnerId: string | null;
  cwd: string | null;
  prompt: string | null;
  enabled: boolean;
}

function readHook(value: unknown): Hook | undefined {
  if (!isObject(value) || typeof value["id"] !== "string") return undefined;
  const text = (key: string) => (typeof value[key] === "string" ? value[key] : null);
  return { id: value["id"], name: text("name") ?? "Unnamed", source: text("source") ?? "", secret: text("secret") ?? undefined, runnerId: text("runnerId"), cwd: text("cwd"), prompt: text("prompt"), enabled: value["enabled"] !== false };
}

const hooksQuery = () =>
  queryOptions({
    queryKey: ["webhooks"],
    queryFn: async ({ signal }) => {
      const body = await api.get<unknown>("/api/webhooks", { signal });
      const list = isObject(body) && Array.isArray(body["webhooks"]) ? body["webhooks"] : [];
      return list.map(readHook).filter((hook) => hook !== undefined);
    },
  });
const refresh = () => queryClient.invalidateQueries({ queryKey: hooksQuery().queryKey });

function addressOf(hook: Hook): string {
  return `${location.origin}/api/webhooks/${hook.id}/fire`;
}

/** A ready-made signed call, for trying it out and for copying into other systems. */
function curlFor(hook: Hook, secret: string): string {
  return `body='{"type":"test"}'; curl -X POST ${addressOf(hook)} -H 'content-type: application/json' -H "x-webhook-signature: $(printf %s "$body" | openssl dgst -sha256 -hmac '${secret}' -r | cut -d' ' -f1)" -d "$body"`;
}

/** Webhooks: other systems start sessions. Absent on relays that don't have them. */
export function Webhooks() {
  const hooks = useQuery(hooksQuery());
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<Hook | undefined>();
  if (hooks.error instanceof ApiError && hooks.error.status === 404) return null;
  return (
    <Section
      title="Webhooks"
      description="An address that starts an agent when something calls it."
      actions={
        <Button size="sm" icon={Plus} onClick={() => setMaking(true)}>
          New webhook
        </Button>
      }
    >
      {hooks.isPending && <SkeletonRows rows={3} />}
      {hooks.error && <ErrorState title="Webhooks couldn't be read" detail={messageOf(hooks.error)} onRetry={() => void hooks.refetch()} />}
      {hooks.data?.length === 0 && (
        <EmptyState icon={Webhook} title="No webhooks yet" className="py-6" />
      )}
      {(hooks.data?.length ?? 0) > 0 && (
        <Card className="divide-y divide-line">
          {hooks.data?.map((hook) => (
            <HookLine key={hook.id} hook={hook} onSecret={setSecret} />
          ))}
        </Card>
      )}
      {making && (
        <HookDialog
          onClose={(made) => {
            setMaking(false);
            if (made) setSecret(made);
          }}
        />
      )}
      <Dialog open={secret !== undefined} onClose={() => setSecret(undefined)} title={secret?.name ?? ""} actions={<Button kind="ink" onClick={() => setSecret(undefined)}>Done</Button>} className="m:w-[min(40rem,calc(100vw-32px))]">
        {secret?.secret && (
          <div className="flex flex-col gap-3 pb-2">
            <Banner tone="wait">The secret is shown only now. Calls are signed with it.</Banner>
            <CommandLine command={secret.secret} />
            <p className="text-ui text-text-2">Try it:</p>
            <CommandLine command={curlFor(secret, secret.secret)} />
          </div>
        )}
      </Dialog>
    </Section>
  );
}

function HookLine({ hook, onSecret }: { hook: Hook; onSecret: (hook: Hook) => void }) {
  const { list } = useRunners();
  const machine = list.find((row) => row.id === hook.runnerId);
  const guard = async (work: () => Promise<unknown>) => {
    try {
      await work();
      await refresh();
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
  };
  const rotate = async () => {
    if (!(await confirm({ title: `Make a new secret for “${hook.name}”?`, body: "Calls signed with the old one are refused from then on.", action: "Make a new one", danger: true }))) return;
    await guard(async () => {
      const body = await api.post<unknown>(url(["api", "webhooks", hook.id, "rotate-secret"]));
      const next = readHook(isObject(body) ? body["webhook"] : undefined);
      if (next) onSecret(next);
    });
  };
  const remove = async () => {
    if (await confirm({ title: `Delete “${hook.name}”?`, body: "Its address stops working at once.", action: "Delete", danger: true })) await guard(() => api.del(url(["api", "webhooks", hook.id])));
  };
  return (
    <div className="flex min-h-14 flex-wrap items-center gap-x-2 gap-y-1 px-4 py-2">
      <span className="flex min-w-48 flex-1 flex-col">
        <span className="truncate text-ui font-medium">{hook.name}</span>
        <span className="truncate text-meta text-text-3">{[hook.source, machine ? runnerName(machine.info) : "no machine", hook.cwd ? shortPath(hook.cwd) : undefined].filter(Boolean).join(" · ")}</span>
      </span>
      <CopyButton text={addressOf(hook)} label="Copy address" size="md" />
      <IconButton icon={RefreshCw} label="New secret" onClick={() => void rotate()} />
      <IconButton icon={Trash2} label={`Delete ${hook.name}`} onClick={() => void remove()} />
      <Switch label={`${hook.name} is on`} checked={hook.enabled} onChange={(enabled) => void guard(() => api.put(url(["api", "webhooks", hook.id]), { enabled }))} />
    </div>
  );
}

function HookDialog({ onClose }: { onClose: (made?: Hook) => void }) {
  const { list } = useRunners();
  const [name, setName] = useState("");
  const [runnerId, setRunnerId] = useState(list[0]?.id ?? "");
  const [cwd, setCwd] = useState("");
  const [prompt, setPrompt] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const create = async () => {
    if (!name.trim()) return setProblem("Give it a name.");
    setBusy(true);
    try {
      const body = await api.post<unknown>("/api/webhooks", { name: name.trim(), source: "custom", ...(runnerId ? { runnerId } : {}), ...(cwd ? { cwd } : {}), ...(prompt.trim() ? { prompt } : {}) });
      await refresh();
      onClose(readHook(isObject(body) ? body["webhook"] : undefined));
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
    return undefined;
  };
  return (
    <Dialog
      open
      onClose={() => onClose()}
      title="New webhook"
      actions={
        <>
          <Button onClick={() => onClose()}>Cancel</Button>
          <Button kind="ink" busy={busy} onClick={() => void create()}>
            Create
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name" error={problem}>
          {(control) => <Input {...control} autoFocus maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Machine">
          {(control) => (
            <Select {...control} value={runnerId} onChange={(event) => setRunnerId(event.target.value)}>
              {list.map((machine) => (
                <option key={machine.id} value={machine.id}>
                  {runnerName(machine.info)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Folder" optional>
          {(control) => <Input {...control} mono spellCheck={false} value={cwd} onChange={(event) => setCwd(event.target.value)} />}
        </Field>
        <Field label="Prompt" optional hint="What the agent is told; the call's content is added to it.">
          {(control) => <TextArea {...control} rows={4} value={prompt} onChange={(event) => setPrompt(event.target.value)} />}
        </Field>
      </form>
    </Dialog>
  );
}
