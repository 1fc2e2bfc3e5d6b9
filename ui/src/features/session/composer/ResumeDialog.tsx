import { useEffect, useMemo, useState } from "react";
import { runExec } from "@/data/answers";
import { shortPath } from "@/data/format";
import { messageOf } from "@/net/api";
import { Dialog, EmptyState, ErrorState, Input, RelativeTime, SkeletonRows, toast } from "@/ui";
import { list, object, words } from "@/transcript/json";
import { useOpenSession } from "../context";

interface Earlier {
  readonly path: string;
  readonly name: string;
  readonly cwd: string | null;
  readonly modified: string | null;
}

/** Put an earlier conversation of this machine into this session. */
export function ResumeDialog({ query: first, onClose }: { query: string; onClose: () => void }) {
  const { sessionId } = useOpenSession();
  const [query, setQuery] = useState(first);
  const [sessions, setSessions] = useState<readonly Earlier[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    let current = true;
    runExec(sessionId, "list_resume_sessions", { limit: 100 }).then(
      (answer) => {
        const found = list(object(answer)?.["sessions"]).flatMap((entry): Earlier[] => {
          const raw = object(entry);
          const path = raw && words(raw["path"]);
          return raw && path ? [{ path, name: words(raw["name"]) ?? words(raw["firstMessage"]) ?? path.split("/").at(-1) ?? path, cwd: words(raw["cwd"]), modified: words(raw["modified"]) }] : [];
        });
        if (current) setSessions(found);
      },
      (error: unknown) => current && setFailure(messageOf(error)),
    );
    return () => {
      current = false;
    };
  }, [sessionId]);
  const shown = useMemo(() => (sessions ?? []).filter((entry) => `${entry.name} ${entry.cwd ?? ""}`.toLowerCase().includes(query.trim().toLowerCase())), [sessions, query]);
  const resume = async (entry: Earlier): Promise<void> => {
    setBusy(true);
    try {
      await runExec(sessionId, "resume_session", { sessionPath: entry.path }, 60_000);
      onClose();
    } catch (error) {
      toast(`Not resumed. ${messageOf(error)}`, { tone: "fail" });
      setBusy(false);
    }
  };
  return (
    <Dialog open onClose={onClose} title="Continue an earlier conversation" description="It takes the place of the one on screen, which stays in the history.">
      <Input autoFocus value={query} onChange={(event) => setQuery(event.target.value)} placeholder="Search" aria-label="Search conversations" className="mb-2" />
      {failure ? (
        <ErrorState title="Earlier conversations could not be listed" detail={failure} />
      ) : sessions === null ? (
        <SkeletonRows rows={4} className="py-3" />
      ) : shown.length === 0 ? (
        <EmptyState title={query.trim() === "" ? "No earlier conversations on this machine" : `Nothing matches “${query.trim()}”`} />
      ) : (
        <ul className="-mx-2 flex flex-col pb-3">
          {shown.map((entry) => (
            <li key={entry.path}>
              <button type="button" disabled={busy} className="w-full rounded-ctl px-2 py-2 text-left hover:bg-hover disabled:opacity-50" onClick={() => void resume(entry)}>
                <span className="block truncate text-ui">{entry.name}</span>
                <span className="block truncate text-meta text-text-3">
                  {entry.cwd && shortPath(entry.cwd)}
                  {entry.cwd && entry.modified && " · "}
                  {entry.modified && <RelativeTime at={entry.modified} />}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}
