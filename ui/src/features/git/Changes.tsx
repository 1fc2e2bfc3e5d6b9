import { ArrowDownToLine, ArrowUpFromLine, ChevronRight, GitBranch, GitCommitHorizontal, Minus, Plus, RefreshCw, RotateCcw, Sparkles } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { plural } from "@/data/format";
import { Button, EmptyState, ErrorState, Icon, IconButton, SkeletonRows, Spinner, TextArea, confirm, cx, toast } from "@/ui";
import { lineText, parsePatch, type DiffLine } from "@/transcript/diff";
import { DiffView } from "@/features/session/cards/DiffView";
import { BranchMenu } from "./BranchMenu";
import { git, gitWords, isChanged, isConflict, isStaged, isUntracked, type FileChange } from "./api";
import { useGitStatus } from "./useStatus";

interface Props {
  readonly sessionId: string;
  readonly cwd: string | null;
  /** Changes whenever the agent edited something. */
  readonly touch: unknown;
  readonly open: string | undefined;
  readonly onOpen: (path: string | undefined) => void;
  /** Ask about a line: text for the composer. */
  readonly onComment: (text: string) => void;
  readonly readOnly: boolean;
}

type GroupName = "staged" | "changed" | "untracked";
const TITLES: Record<GroupName, string> = { staged: "Staged", changed: "Changed", untracked: "New" };

/** What differs from the last commit, and the way into one. */
export function Changes({ sessionId, cwd, touch, open, onOpen, onComment, readOnly }: Props) {
  const { status, failure, loading, refresh, version } = useGitStatus(sessionId, cwd, touch);
  const [busy, setBusy] = useState<string | null>(null);
  // Paths in the status count from the top of the repository, which may lie above the session's folder.
  const root = status?.root ?? cwd;
  const repository = useMemo(() => (root ? git(sessionId, root) : null), [sessionId, root]);
  const groups = useMemo(() => {
    const changes = status?.changes ?? [];
    const all: [GroupName, FileChange[]][] = [
      ["staged", changes.filter(isStaged)],
      ["changed", changes.filter((change) => isChanged(change))],
      ["untracked", changes.filter(isUntracked)],
    ];
    return all.filter(([, list]) => list.length > 0);
  }, [status]);
  if (!cwd || !repository) return <EmptyState title="This session has no folder yet" />;
  if (!status && loading) return <SkeletonRows rows={5} className="p-4" />;
  if (!status && failure) {
    const none = /isn't a git repository/.test(failure);
    return none ? <EmptyState icon={GitBranch} title={failure} /> : <ErrorState title="The changes could not be read" detail={failure} onRetry={refresh} />;
  }
  if (!status) return null;
  const act = async (name: string, work: () => Promise<unknown>, done?: string): Promise<boolean> => {
    setBusy(name);
    try {
      await work();
      if (done) toast(done, { tone: "done" });
      return true;
    } catch (error) {
      toast(gitWords(error), { tone: "fail" });
      return false;
    } finally {
      setBusy(null);
      refresh();
    }
  };
  const discard = async (paths: readonly string[]): Promise<void> => {
    const what = paths.length === 1 ? `“${paths[0]}”` : plural(paths.length, "file");
    if (await confirm({ title: `Discard the changes in ${what}?`, body: "They cannot be brought back. New files are deleted.", action: "Discard", danger: true })) void act("discard", () => repository.discard(paths));
  };
  const staged = status.changes.filter(isStaged).length;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-10 shrink-0 items-center gap-1 border-b border-line px-3">
        <BranchMenu repository={repository} branch={status.branch} dirty={status.changes.length > 0} readOnly={readOnly} onChanged={refresh} />
        {(status.ahead > 0 || status.behind > 0) && (
          <span className="text-meta text-text-3 tnum" title={`${status.ahead} ahead, ${status.behind} behind`}>
            {status.ahead > 0 && `↑${status.ahead} `}
            {status.behind > 0 && `↓${status.behind}`}
          </span>
        )}
        <span className="flex-1" />
        {!readOnly && (
          <>
            <IconButton icon={ArrowDownToLine} size="sm" label="Pull" busy={busy === "pull"} disabled={!status.hasUpstream} onClick={() => void act("pull", () => repository.pull(), "Pulled")} />
            <IconButton icon={ArrowUpFromLine} size="sm" label={status.hasUpstream ? "Push" : "Publish branch"} busy={busy === "push"} disabled={status.branch === null} onClick={() => void act("push", () => repository.push(!status.hasUpstream), "Pushed")} />
          </>
        )}
        <IconButton icon={RefreshCw} size="sm" label="Read again" onClick={refresh} />
      </div>
      {failure && <p className="border-b border-line bg-wait-tint px-3 py-1.5 text-code text-text">{failure}</p>}
      <div className="min-h-0 flex-1 overflow-y-auto pb-6">
        {status.changes.length === 0 ? (
          <EmptyState icon={GitCommitHorizontal} title="No changes" />
        ) : (
          groups.map(([name, list]) => (
            <section key={name} className="pt-2">
              <div className="group/head flex h-8 items-center gap-2 px-3 text-meta font-medium text-text-3">
                {TITLES[name]} <span className="tnum">{list.length}</span>
                <span className="flex-1" />
                {!readOnly &&
                  (name === "staged" ? (
                    <IconButton icon={Minus} size="sm" label="Unstage all" onClick={() => void act("unstage", () => repository.unstage(list.map((change) => change.path)))} />
                  ) : (
                    <IconButton icon={Plus} size="sm" label={`Stage all ${name === "untracked" ? "new files" : "changes"}`} onClick={() => void act("stage", () => repository.stage(list.map((change) => change.path)))} />
                  ))}
              </div>
              {list.map((change) => (
                <FileRow
                  key={`${name}:${change.path}`}
                  change={change}
                  group={name}
                  open={open === change.path}
                  version={version}
                  onToggle={() => onOpen(open === change.path ? undefined : change.path)}
                  load={() => repository.diff(change.path, name === "staged")}
                  onComment={onComment}
                  actions={
                    readOnly ? null : (
                      <>
                        {name !== "staged" && <IconButton icon={RotateCcw} size="sm" label="Discard" onClick={() => void discard([change.path])} />}
                        {name === "staged" ? (
                          <IconButton icon={Minus} size="sm" label="Unstage" onClick={() => void act("unstage", () => repository.unstage([change.path]))} />
                        ) : (
                          <IconButton icon={Plus} size="sm" label="Stage" onClick={() => void act("stage", () => repository.stage([change.path]))} />
                        )}
                      </>
                    )
                  }
                />
              ))}
            </section>
          ))
        )}
      </div>
      {!readOnly && staged > 0 && <CommitBox staged={staged} busy={busy === "commit"} suggest={() => repository.suggest()} onCommit={(message) => act("commit", () => repository.commit(message), "Committed")} />}
    </div>
  );
}

const LETTERS: Record<string, { letter: string; words: string; tone: string }> = {
  M: { letter: "M", words: "changed", tone: "text-run" },
  A: { letter: "A", words: "added", tone: "text-done" },
  D: { letter: "D", words: "deleted", tone: "text-fail" },
  R: { letter: "R", words: "renamed", tone: "text-accent" },
  C: { letter: "C", words: "copied", tone: "text-accent" },
  U: { letter: "!", words: "in conflict", tone: "text-fail" },
  "?": { letter: "N", words: "new", tone: "text-done" },
};

function FileRow({ change, group, open, version, onToggle, load, onComment, actions }: {
  change: FileChange;
  group: GroupName;
  open: boolean;
  version: number;
  onToggle: () => void;
  load: () => Promise<string>;
  onComment: (text: string) => void;
  actions: React.ReactNode;
}) {
  const key = isConflict(change) ? "U" : group === "untracked" ? "?" : group === "staged" ? change.index : change.tree;
  const mark = LETTERS[key] ?? { letter: key, words: "changed", tone: "text-text-3" };
  const slash = change.path.lastIndexOf("/");
  return (
    <div className="group/file">
      <div className={cx("flex items-center gap-1 pr-2", open && "sticky top-0 z-10 bg-bg")}>
        <button type="button" aria-expanded={open} className="flex min-h-8 min-w-0 flex-1 items-center gap-2 pl-3 text-left text-code hover:bg-hover pointer-coarse:min-h-11" onClick={onToggle} title={change.path}>
          <Icon icon={ChevronRight} size={14} className={cx("text-text-3 transition-transform", open && "rotate-90")} />
          <span className={cx("w-3 text-center font-mono font-semibold", mark.tone)} aria-hidden="true">
            {mark.letter}
          </span>
          <span className="min-w-0 truncate">
            <span className="text-text">{change.path.slice(slash + 1)}</span>
            {slash > 0 && <span className="ml-2 text-text-3">{change.path.slice(0, slash)}</span>}
          </span>
          <span className="sr-only">{mark.words}</span>
        </button>
        <span className="flex opacity-0 group-focus-within/file:opacity-100 group-hover/file:opacity-100 pointer-coarse:opacity-100">{actions}</span>
      </div>
      {open && <FileDiff path={change.path} version={version} load={load} onComment={onComment} />}
    </div>
  );
}

function FileDiff({ path, version, load, onComment }: { path: string; version: number; load: () => Promise<string>; onComment: (text: string) => void }) {
  const [state, setState] = useState<{ patch: string | null; failure: string | null }>({ patch: null, failure: null });
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    let current = true;
    loader.current().then(
      (patch) => current && setState((before) => (before.patch === patch ? before : { patch, failure: null })),
      (error: unknown) => current && setState({ patch: null, failure: gitWords(error) }),
    );
    return () => {
      current = false;
    };
  }, [path, version]);
  const files = useMemo(() => (state.patch === null ? null : parsePatch(state.patch)), [state.patch]);
  if (state.failure) return <p className="px-4 py-2 text-code text-fail">{state.failure}</p>;
  if (!files) {
    return (
      <div className="px-4 py-3">
        <Spinner size={14} />
      </div>
    );
  }
  const file = files[0];
  if (!file) return <p className="px-4 py-2 text-code text-text-3">No lines differ.</p>;
  if (file.binary) return <p className="px-4 py-2 text-code text-text-3">A binary file.</p>;
  const comment = (line: DiffLine): void => onComment(`${path}:${line.newNumber ?? line.oldNumber ?? ""}\n> ${lineText(line).trim()}\n\n`);
  return (
    <div className="px-3 pb-2">
      <DiffView diff={file} path={path} maySplit onLine={comment} />
    </div>
  );
}

function CommitBox({ staged, busy, suggest, onCommit }: { staged: number; busy: boolean; suggest: () => Promise<string>; onCommit: (message: string) => Promise<boolean> }) {
  const [message, setMessage] = useState("");
  const [thinking, setThinking] = useState(false);
  const commit = (): void => {
    if (message.trim() === "" || busy) return;
    void onCommit(message.trim()).then((done) => done && setMessage(""));
  };
  const propose = (): void => {
    setThinking(true);
    suggest()
      .then(setMessage, (error: unknown) => toast(gitWords(error), { tone: "fail" }))
      .finally(() => setThinking(false));
  };
  return (
    <div className="flex shrink-0 flex-col gap-2 border-t border-line p-3">
      <TextArea
        value={message}
        rows={2}
        className="min-h-14"
        placeholder="What changed, and why"
        aria-label="Commit message"
        onChange={(event) => setMessage(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.nativeEvent.isComposing) commit();
        }}
      />
      <div className="flex items-center gap-2">
        <Button size="sm" kind="quiet" icon={Sparkles} busy={thinking} onClick={propose}>
          Suggest
        </Button>
        <span className="flex-1" />
        <Button size="sm" kind="ink" busy={busy} disabled={message.trim() === ""} onClick={commit}>
          Commit {plural(staged, "file")}
        </Button>
      </div>
    </div>
  );
}
