import { to, navigate } from "@/app/routes";
import { runExec } from "@/data/answers";
import { hub, type SessionRow } from "@/data/hub";
import { messageOf, api, url } from "@/net/api";
import { unread } from "@/data/unread";
import { confirm } from "@/ui/confirm";
import { copyText } from "@/ui/bits";
import { toast } from "@/ui/toast";
import { titleOf } from "./grouping";

/** What can be done with a session from any list. Each says itself when it failed. */

function setPinned(id: string, pinned: boolean): void {
  const { sessions } = hub.getState();
  const row = sessions.get(id);
  if (!row) return;
  const next = new Map(sessions);
  if (!pinned && !row.live) next.delete(id);
  else next.set(id, { ...row, pinned });
  hub.setState({ sessions: next });
}

/** Optimistic: a failure puts it back and says so. */
export async function togglePin(row: SessionRow): Promise<void> {
  const pinned = !row.pinned;
  setPinned(row.id, pinned);
  try {
    const path = url(["api", "sessions", row.id, "pin"]);
    await (pinned ? api.put(path) : api.del(path));
  } catch (error) {
    const { sessions } = hub.getState();
    hub.setState({ sessions: new Map(sessions).set(row.id, { ...(sessions.get(row.id) ?? row), pinned: row.pinned }) });
    toast(`${pinned ? "Not pinned" : "Still pinned"}. ${messageOf(error)}`, { tone: "fail" });
  }
}

export async function renameSession(row: SessionRow, name: string): Promise<void> {
  const clean = name.trim().slice(0, 120);
  if (!clean || clean === row.info.sessionName) return;
  const apply = (sessionName: string | null) => {
    const { sessions } = hub.getState();
    const now = sessions.get(row.id);
    if (now) hub.setState({ sessions: new Map(sessions).set(row.id, { ...now, info: { ...now.info, sessionName } }) });
  };
  apply(clean);
  try {
    await runExec(row.id, "set_session_name", { name: clean });
  } catch (error) {
    apply(row.info.sessionName);
    toast(`Not renamed. ${messageOf(error)}`, { tone: "fail" });
  }
}

/** Asks once, by name. Resolves to true when the agent was told to stop. */
export async function endSession(row: SessionRow): Promise<boolean> {
  const children = [...hub.getState().sessions.values()].filter((other) => other.live && other.info.parentSessionId === row.id).length;
  const yes = await confirm({
    title: `End “${titleOf(row)}”?`,
    body: `The agent stops; files stay as they are, and you can still read the conversation.${children > 0 ? ` ${children === 1 ? "One session" : `${children} sessions`} it started may end too.` : ""}`,
    action: "End session",
    danger: true,
  });
  if (!yes) return false;
  try {
    await runExec(row.id, "end_session");
    toast("Session ended", { key: `end-${row.id}` });
    return true;
  } catch (error) {
    toast(`Not ended. ${messageOf(error)}`, { tone: "fail" });
    return false;
  }
}

export async function copyLink(row: SessionRow): Promise<void> {
  const done = await copyText(new URL(to.session(row.id), location.origin).href);
  toast(done ? "Link copied" : "Could not reach the clipboard", done ? {} : { tone: "fail" });
}

export function duplicate(row: SessionRow): void {
  navigate(to.home({ cwd: row.info.cwd, ...(row.info.runnerId ? { runner: row.info.runnerId } : {}) }));
}

export function toggleRead(row: SessionRow, isUnread: boolean): void {
  if (isUnread) unread.markRead(row.id);
  else unread.markUnread(row.id);
}
