import { CopyPlus, Download, FolderTree, GitCompare, History, Link2, ListTodo, MessageSquarePlus, Minimize2, Pencil, RotateCw, Square, SquareTerminal } from "lucide-react";
import { lazy, Suspense, useState, type ReactNode } from "react";
import { navigate, setSessionParams, to } from "@/app/routes";
import { runExec } from "@/data/answers";
import { useHub, useSession } from "@/data/hub";
import { messageOf } from "@/net/api";
import { Menu, MenuItem, MenuSeparator, confirm, copyText, toast, useWidth } from "@/ui";
import { titleOf } from "@/features/sessions";
import { useFacts, useOpenSession } from "../context";

const RewindDialog = lazy(() => import("../composer/RewindDialog").then((part) => ({ default: part.RewindDialog })));

const LONG_MS = 10 * 60_000;

export function SessionMenu({ trigger, onRename, replay }: { trigger: ReactNode; onRename: () => void; replay: boolean }) {
  const { sessionId, model } = useOpenSession();
  const row = useSession(sessionId);
  const children = useHub((state) => [...state.sessions.values()].filter((entry) => entry.live && entry.info.parentSessionId === sessionId).length);
  const cwd = useFacts(model, (facts) => facts.cwd) ?? row?.info.cwd ?? null;
  const width = useWidth();
  const [rewind, setRewind] = useState(false);
  const name = row ? titleOf(row) : "this session";
  const run = (command: string, done?: string, timeoutMs?: number): void => {
    runExec(sessionId, command, {}, timeoutMs).then(
      () => done !== undefined && toast(done, { tone: "done" }),
      (error: unknown) => toast(messageOf(error), { tone: "fail" }),
    );
  };
  const end = async (): Promise<void> => {
    const body = `The agent stops. Files stay as they are.${children > 0 ? ` Its ${children === 1 ? "child session ends" : `${children} child sessions end`} too.` : ""}`;
    if (await confirm({ title: `End “${name}”?`, body, action: "End session", danger: true })) run("end_session");
  };
  const fresh = async (): Promise<void> => {
    const body = children > 0 ? `The conversation on screen goes to the history. ${children === 1 ? "One child session is" : `${children} child sessions are`} let go.` : "The conversation on screen goes to the history.";
    if (await confirm({ title: "Start a new conversation?", body, action: "Start" })) run("new_session");
  };
  return (
    <>
      <Menu trigger={trigger}>
        {!replay && (
          <MenuItem icon={Pencil} onSelect={() => setTimeout(onRename)}>
            Rename
          </MenuItem>
        )}
        <MenuItem icon={Link2} onSelect={() => void copyText(`${location.origin}${to.session(sessionId)}`).then((done) => toast(done ? "Link copied" : "The link could not be copied"))}>
          Copy link
        </MenuItem>
        <MenuItem icon={Download} onSelect={() => void import("./exportMarkdown").then((part) => part.exportMarkdown(name, model))}>
          Export as Markdown
        </MenuItem>
        <MenuItem icon={CopyPlus} disabled={!cwd} onSelect={() => navigate(to.home({ ...(cwd ? { cwd } : {}), ...(row?.info.runnerId ? { runner: row.info.runnerId } : {}) }))}>
          New session in this folder
        </MenuItem>
        {width === "S" && (
          <>
            <MenuSeparator />
            <MenuItem icon={GitCompare} onSelect={() => setSessionParams(sessionId, { p: "changes" })}>
              Changes
            </MenuItem>
            <MenuItem icon={FolderTree} onSelect={() => setSessionParams(sessionId, { p: "files" })}>
              Files
            </MenuItem>
            <MenuItem icon={ListTodo} onSelect={() => setSessionParams(sessionId, { p: "tasks" })}>
              Tasks
            </MenuItem>
            {!replay && (
              <MenuItem icon={SquareTerminal} onSelect={() => setSessionParams(sessionId, { t: "1" })}>
                Terminal
              </MenuItem>
            )}
          </>
        )}
        {!replay && (
          <>
            <MenuSeparator />
            <MenuItem icon={History} onSelect={() => setRewind(true)}>
              Rewind…
            </MenuItem>
            <MenuItem icon={Minimize2} onSelect={() => run("compact", undefined, LONG_MS)}>
              Compact
            </MenuItem>
            <MenuItem icon={MessageSquarePlus} onSelect={() => void fresh()}>
              New conversation…
            </MenuItem>
            <MenuItem icon={RotateCw} onSelect={() => run("restart", "Restarting…")}>
              Restart agent
            </MenuItem>
            <MenuSeparator />
            <MenuItem icon={Square} danger onSelect={() => void end()}>
              End session…
            </MenuItem>
          </>
        )}
      </Menu>
      {rewind && (
        <Suspense fallback={null}>
          <RewindDialog onClose={() => setRewind(false)} name={name} />
        </Suspense>
      )}
    </>
  );
}

