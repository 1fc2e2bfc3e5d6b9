import { useQuery } from "@tanstack/react-query";
import { FileText, Plus, RefreshCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { shortPath } from "@/data/format";
import { queryClient, skillQuery, skillsQuery } from "@/data/queries";
import { api, messageOf, url } from "@/net/api";
import { Card, EmptyState, ErrorState, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/confirm";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, TextArea } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { toast } from "@/ui/toast";

type Kind = "skills" | "agents";
const ONE: Record<Kind, string> = { skills: "skill", agents: "agent" };
const ABOUT: Record<Kind, string> = {
  skills: "Instructions an agent reads when a task calls for them.",
  agents: "Named agents with their own instructions and tools.",
};
const TEMPLATE: Record<Kind, string> = {
  skills: "---\nname: NAME\ndescription: When to use this\n---\n\nWhat to do, step by step.\n",
  agents: "---\nname: NAME\ndescription: What this agent is for\n---\n\nYou are …\n",
};

/** Skills and agents of a machine: files with a name, a description and text. */
export function NamedFiles({ runnerId, kind }: { runnerId: string; kind: Kind }) {
  const list = useQuery(skillsQuery(runnerId, kind));
  const [query, setQuery] = useState("");
  const [open, setOpen] = useState<string | undefined>();
  const [creating, setCreating] = useState(false);
  const [busy, setBusy] = useState(false);
  const refresh = async () => {
    setBusy(true);
    try {
      await api.post(url(["api", "runners", runnerId, kind, "refresh"]));
      await list.refetch();
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
    setBusy(false);
  };
  const shown = (list.data ?? []).filter((entry) => `${entry.name} ${entry.description}`.toLowerCase().includes(query.toLowerCase()));
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <p className="min-w-48 flex-1 text-ui text-text-2">{ABOUT[kind]}</p>
        <IconButton icon={RefreshCw} label="Look again on disk" busy={busy} onClick={() => void refresh()} />
        <Button icon={Plus} onClick={() => setCreating(true)}>
          New {ONE[kind]}
        </Button>
      </div>
      {(list.data?.length ?? 0) > 8 && <Input type="search" aria-label={`Search ${kind}`} placeholder="Search" value={query} onChange={(event) => setQuery(event.target.value)} />}
      {list.isPending && <SkeletonRows rows={5} />}
      {list.error && <ErrorState title="The machine didn't answer" detail={messageOf(list.error)} onRetry={() => void list.refetch()} />}
      {list.data && shown.length === 0 && <EmptyState icon={FileText} title={query ? "Nothing matches" : `No ${kind} on this machine`} />}
      {shown.length > 0 && (
        <Card className="divide-y divide-line overflow-hidden">
          {shown.map((entry) => (
            <button key={entry.name} type="button" onClick={() => setOpen(entry.name)} className="flex min-h-14 w-full items-center gap-3 px-4 py-2 text-left hover:bg-hover focus-visible:outline-offset-[-2px]">
              <Icon icon={FileText} className="text-text-3" />
              <span className="flex min-w-0 flex-1 flex-col">
                <span className="truncate text-ui font-medium">{entry.name}</span>
                <span className="truncate text-meta text-text-3">{entry.description || shortPath(entry.filePath)}</span>
              </span>
            </button>
          ))}
        </Card>
      )}
      {open !== undefined && <FileDialog key={open} runnerId={runnerId} kind={kind} name={open} path={list.data?.find((entry) => entry.name === open)?.filePath ?? ""} onClose={() => setOpen(undefined)} />}
      {creating && (
        <CreateDialog
          runnerId={runnerId}
          kind={kind}
          onClose={(made) => {
            setCreating(false);
            if (made) setOpen(made);
          }}
        />
      )}
    </div>
  );
}

function FileDialog({ runnerId, kind, name, path, onClose }: { runnerId: string; kind: Kind; name: string; path: string; onClose: () => void }) {
  const file = useQuery({ ...skillQuery(runnerId, kind, name), staleTime: 0 });
  const [text, setText] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const changed = text !== undefined && text !== file.data;
  const close = async () => {
    if (changed && !(await confirm({ title: "Discard your changes?", action: "Discard", danger: true, cancel: "Keep editing" }))) return;
    onClose();
  };
  const save = async () => {
    if (text === undefined) return;
    setBusy(true);
    setProblem(undefined);
    try {
      // Somebody, perhaps an agent, may have changed the file since it was opened.
      const now = await queryClient.fetchQuery({ ...skillQuery(runnerId, kind, name), staleTime: 0 });
      if (now !== file.data && !(await confirm({ title: "The file changed meanwhile", body: "Saving replaces what is there now.", action: "Replace", danger: true }))) return;
      await api.put(url(["api", "runners", runnerId, kind, name]), { content: text });
      queryClient.setQueryData(skillQuery(runnerId, kind, name).queryKey, text);
      void queryClient.invalidateQueries({ queryKey: skillsQuery(runnerId, kind).queryKey, exact: true });
      toast("Saved");
      onClose();
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  const remove = async () => {
    if (!(await confirm({ title: `Delete the ${ONE[kind]} “${name}”?`, body: "The file is removed from the machine.", action: "Delete", danger: true }))) return;
    try {
      await api.del(url(["api", "runners", runnerId, kind, name]));
      void queryClient.invalidateQueries({ queryKey: skillsQuery(runnerId, kind).queryKey, exact: true });
      onClose();
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  return (
    <Dialog
      open
      onClose={() => void close()}
      title={name}
      description={<code className="font-mono text-meta break-all">{shortPath(path)}</code>}
      className="m:w-[min(52rem,calc(100vw-32px))]"
      actions={
        <>
          <Button icon={Trash2} kind="quiet" className="m:mr-auto" onClick={() => void remove()}>
            Delete
          </Button>
          <Button onClick={() => void close()}>Close</Button>
          <Button kind="ink" busy={busy} disabled={!changed} onClick={() => void save()}>
            Save
          </Button>
        </>
      }
    >
      {file.isPending && <SkeletonRows rows={6} />}
      {file.error && <ErrorState title="It couldn't be read" detail={messageOf(file.error)} onRetry={() => void file.refetch()} />}
      {file.data !== undefined && <TextArea mono aria-label={`Text of ${name}`} className="h-[50dvh] resize-none" spellCheck={false} value={text ?? file.data} onChange={(event) => setText(event.target.value)} />}
      <p role="alert" className="text-ui text-fail">
        {problem}
      </p>
    </Dialog>
  );
}

function CreateDialog({ runnerId, kind, onClose }: { runnerId: string; kind: Kind; onClose: (made?: string) => void }) {
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const clean = name.trim().toLowerCase();
  const create = async () => {
    if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(clean)) return setProblem("Use small letters, digits and dashes, like “code-review”.");
    setBusy(true);
    try {
      await api.post(url(["api", "runners", runnerId, kind]), { name: clean, content: TEMPLATE[kind].replace("NAME", clean) });
      await queryClient.invalidateQueries({ queryKey: skillsQuery(runnerId, kind).queryKey, exact: true });
      onClose(clean);
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
      title={`New ${ONE[kind]}`}
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
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name" error={problem} hint="Small letters, digits and dashes">
          {(control) => <Input {...control} autoFocus maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
      </form>
    </Dialog>
  );
}
