import { useQuery } from "@tanstack/react-query";
import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { keysQuery, type ApiKeyRow } from "@/data/queries";
import { messageOf } from "@/net/api";
import { Banner, Card, CommandLine, CopyButton, EmptyState, ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Segmented } from "@/ui/Choice";
import { confirm } from "@/ui/confirm";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { RelativeTime } from "@/ui/time";
import { toast } from "@/ui/toast";
import { createKey, deleteKey, type NewKey } from "./api";

const DAY_S = 86_400;

/** Keys for machines and scripts. A value is seen once, when it is made. */
export function Keys() {
  const keys = useQuery(keysQuery());
  const [making, setMaking] = useState(false);
  const revoke = async (key: ApiKeyRow) => {
    const yes = await confirm({ title: `Revoke “${key.name ?? "this key"}”?`, body: "Whatever uses it is cut off within seconds. It cannot be undone.", action: "Revoke", danger: true });
    if (!yes) return;
    try {
      await deleteKey(key.id);
      toast("Key revoked");
    } catch (error) {
      toast(`Not revoked. ${messageOf(error)}`, { tone: "fail" });
    }
  };
  return (
    <Section
      title="Keys"
      description="For machines and scripts. Treat one like a password."
      actions={
        <Button size="sm" icon={Plus} onClick={() => setMaking(true)}>
          New key
        </Button>
      }
    >
      {keys.isPending && <SkeletonRows rows={3} />}
      {keys.error && <ErrorState title="Keys couldn't be read" detail={messageOf(keys.error)} onRetry={() => void keys.refetch()} />}
      {keys.data?.length === 0 && <EmptyState icon={KeyRound} title="No keys yet" />}
      {(keys.data?.length ?? 0) > 0 && (
        <Card className="divide-y divide-line">
          {keys.data?.map((key) => (
            <div key={key.id} className="flex min-h-14 items-center gap-3 px-4 py-2">
              <Icon icon={KeyRound} className="text-text-3" />
              <span className="flex min-w-0 flex-1 flex-col">
                <span className="truncate text-ui font-medium">{key.name ?? "Unnamed"}</span>
                <span className="truncate text-meta text-text-3">
                  {key.start && <code className="font-mono">{key.start}…</code>} · made <RelativeTime at={key.createdAt} /> · {key.lastRequest ? <>used <RelativeTime at={key.lastRequest} /></> : "never used"}
                  {key.expiresAt && ` · until ${new Date(key.expiresAt).toLocaleDateString()}`}
                </span>
              </span>
              <IconButton icon={Trash2} label={`Revoke ${key.name ?? "key"}`} onClick={() => void revoke(key)} />
            </div>
          ))}
        </Card>
      )}
      {making && <NewKeyDialog onClose={() => setMaking(false)} />}
    </Section>
  );
}

function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const [kind, setKind] = useState<"runner" | "script">("runner");
  const [name, setName] = useState("");
  const [days, setDays] = useState("365");
  const [made, setMade] = useState<NewKey | undefined>();
  const [copied, setCopied] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const create = async () => {
    setBusy(true);
    setProblem(undefined);
    const label = name.trim().replace(/\s+/g, "-");
    try {
      setMade(
        await createKey({
          name: (kind === "runner" ? (label ? `runner-${label}` : "runner") : label || "script").slice(0, 32),
          prefix: kind === "runner" ? "ppru" : "pzpe",
          ...(days === "never" ? {} : { expiresIn: Number(days) * DAY_S }),
        }),
      );
    } catch (error) {
      setProblem(messageOf(error));
    }
    setBusy(false);
  };
  const close = async () => {
    if (made && !copied && !(await confirm({ title: "Leave without copying the key?", body: "It cannot be shown again.", action: "Leave", danger: true, cancel: "Stay" }))) return;
    onClose();
  };
  if (made) {
    const relay = location.origin.replace(/^http/, "ws");
    return (
      <Dialog open onClose={() => void close()} title="Copy your key" actions={<Button kind="ink" onClick={() => void close()}>Done</Button>} className="m:w-[min(36rem,calc(100vw-32px))]">
        <div className="flex flex-col gap-4 pb-2" onClick={() => setCopied(true)} onCopy={() => setCopied(true)}>
          <Banner tone="wait">This is the only time it is shown.</Banner>
          <div className="flex items-center gap-2">
            <code className="min-w-0 flex-1 rounded-ctl border border-line bg-sunken px-3 py-2 font-mono text-code break-all select-all">{made.key}</code>
            <CopyButton text={made.key} size="md">
              Copy
            </CopyButton>
          </div>
          {kind === "runner" && (
            <div className="flex flex-col gap-2">
              <p className="text-ui text-text-2">On the machine:</p>
              <CommandLine command={`PIZZAPI_RELAY_URL=${relay} PIZZAPI_RUNNER_API_KEY=${made.key} pizzapi runner`} />
            </div>
          )}
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={() => void close()}
      title="New key"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
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
        <Segmented
          label="For"
          value={kind}
          onChange={setKind}
          options={[
            { value: "runner", label: "A machine" },
            { value: "script", label: "A script" },
          ]}
        />
        <Field label="Name" optional hint={kind === "runner" ? "Which machine, so that you know what to revoke" : "What it is for"} error={problem}>
          {(control) => <Input {...control} autoFocus maxLength={24} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Valid for">
          {(control) => (
            <Select {...control} value={days} onChange={(event) => setDays(event.target.value)}>
              <option value="30">30 days</option>
              <option value="90">90 days</option>
              <option value="365">One year</option>
              <option value="never">Until revoked</option>
            </Select>
          )}
        </Field>
      </form>
    </Dialog>
  );
}
