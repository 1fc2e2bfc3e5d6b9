import { Check, ChevronDown, GitBranch } from "lucide-react";
import { useEffect, useState } from "react";
import { Icon, Input, Popover, Spinner, confirm, toast } from "@/ui";
import { gitWords, type Branch, type git } from "./api";

/** The branch in use, and a list to change it. */
export function BranchMenu({ repository, branch, dirty, readOnly, onChanged }: { repository: ReturnType<typeof git>; branch: string | null; dirty: boolean; readOnly: boolean; onChanged: () => void }) {
  const [open, setOpen] = useState(false);
  const name = branch ?? "No branch";
  if (readOnly) {
    return (
      <span className="flex min-w-0 items-center gap-1.5 text-code text-text-2">
        <Icon icon={GitBranch} size={14} />
        <span className="truncate">{name}</span>
      </span>
    );
  }
  return (
    <Popover
      open={open}
      onOpenChange={setOpen}
      label="Branches"
      className="w-72"
      trigger={
        <button type="button" className="flex h-7 min-w-0 items-center gap-1.5 rounded-ctl px-1.5 text-code text-text-2 hover:bg-hover hover:text-text pointer-coarse:h-11">
          <Icon icon={GitBranch} size={14} />
          <span className="truncate">{name}</span>
          <Icon icon={ChevronDown} size={12} />
        </button>
      }
    >
      {open && (
        <Branches
          repository={repository}
          dirty={dirty}
          onDone={() => {
            setOpen(false);
            onChanged();
          }}
        />
      )}
    </Popover>
  );
}

function Branches({ repository, dirty, onDone }: { repository: ReturnType<typeof git>; dirty: boolean; onDone: () => void }) {
  const [branches, setBranches] = useState<readonly Branch[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [query, setQuery] = useState("");
  const [busy, setBusy] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    repository.branches().then(
      (found) => current && setBranches(found),
      (error: unknown) => current && setFailure(gitWords(error)),
    );
    return () => {
      current = false;
    };
  }, [repository]);
  const choose = async (branch: Branch): Promise<void> => {
    if (branch.isCurrent) return onDone();
    if (dirty && !(await confirm({ title: `Switch to “${branch.name}”?`, body: "There are uncommitted changes. git carries them over or refuses.", action: "Switch" }))) return;
    setBusy(branch.name);
    try {
      await repository.checkout(branch.name, branch.isRemote);
      onDone();
    } catch (error) {
      toast(gitWords(error), { tone: "fail" });
      setBusy(null);
    }
  };
  const shown = (branches ?? []).filter((branch) => branch.name.toLowerCase().includes(query.toLowerCase())).slice(0, 200);
  return (
    <div className="flex max-h-80 flex-col p-1">
      <Input autoFocus value={query} placeholder="Find a branch" aria-label="Find a branch" className="mb-1" onChange={(event) => setQuery(event.target.value)} />
      <div className="min-h-0 overflow-y-auto">
        {failure && <p className="p-2 text-code text-fail">{failure}</p>}
        {!branches && !failure && (
          <div className="p-3">
            <Spinner size={14} />
          </div>
        )}
        {shown.map((branch) => (
          <button key={`${branch.isRemote}${branch.name}`} type="button" disabled={busy !== null} className="flex min-h-8 w-full items-center gap-2 rounded-ctl px-2 text-left text-code hover:bg-hover disabled:opacity-50 pointer-coarse:min-h-11" onClick={() => void choose(branch)}>
            <span className="size-3.5">{busy === branch.name ? <Spinner size={12} /> : branch.isCurrent && <Icon icon={Check} size={14} />}</span>
            <span className="min-w-0 flex-1 truncate">{branch.name}</span>
            {branch.isRemote && <span className="text-meta text-text-3">remote</span>}
          </button>
        ))}
        {branches && shown.length === 0 && <p className="p-3 text-code text-text-2">No branch matches</p>}
      </div>
    </div>
  );
}
