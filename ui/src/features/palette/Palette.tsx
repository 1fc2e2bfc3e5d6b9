import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { FilePlus, Folder, History, House, KeyRound, Laptop, Link2, LogOut, Moon, Palette as Paint, Pin, Plus, Settings, Square, Sun, Webhook, type LucideIcon } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useStore } from "zustand";
import { spell } from "@/app/hotkeys";
import { navigate, to, useRoute } from "@/app/routes";
import { leave } from "@/app/services";
import { statusOf } from "@/data/attention";
import { baseName, shortPath } from "@/data/format";
import { hub, useAllDecisions } from "@/data/hub";
import { setPref } from "@/data/prefs";
import { queryClient, recentFoldersQuery } from "@/data/queries";
import { runnerName, useRunners } from "@/data/runners";
import { copyLink, duplicate, endSession, titleOf, togglePin } from "@/features/sessions";
import { serverNow } from "@/net/clock";
import { messageOf } from "@/net/api";
import { Icon } from "@/ui/Icon";
import { Kbd } from "@/ui/Kbd";
import { StatusMark } from "@/ui/StatusMark";
import { toast } from "@/ui/toast";

const ITEM = "flex min-h-9 items-center gap-3 rounded-ctl px-2.5 text-ui outline-none select-none data-[selected=true]:bg-hover pointer-coarse:min-h-11";

/** Everything by name: sessions, machines, settings, actions. `>` shows actions only. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [query, setQuery] = useState("");
  const sessions = useStore(hub, (state) => state.sessions);
  const waiting = new Set(useAllDecisions().map((decision) => decision.sessionId));
  const { list } = useRunners();
  const route = useRoute();
  const current = route.name === "session" ? sessions.get(route.id) : undefined;
  const onlyActions = query.startsWith(">");
  const go = (path: string) => run(() => navigate(path));
  const run = (act: () => void) => {
    onClose();
    act();
  };
  const folders = list.filter((machine) => machine.online).flatMap((machine) => (queryClient.getQueryData(recentFoldersQuery(machine.id).queryKey) ?? []).slice(0, 5).map((path) => ({ machine, path })));
  const rows = [...sessions.values()].sort((a, b) => Number(waiting.has(b.id)) - Number(waiting.has(a.id)) || b.touchedAt - a.touchedAt);
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="ui-fade fixed inset-0 z-40 bg-scrim" data-state="open" />
        <Dialog.Content
          aria-describedby={undefined}
          className="ui-pop fixed top-[max(10dvh,var(--safe-top))] left-1/2 z-50 w-[min(38rem,calc(100vw-16px))] -translate-x-1/2 overflow-hidden rounded-card border border-line bg-surface shadow-2 outline-none"
        >
          <Dialog.Title className="sr-only">Search and commands</Dialog.Title>
          <Command label="Search and commands" loop filter={(value, search) => score(value, search.replace(/^>\s*/, ""))}>
            <Command.Input autoFocus value={query} onValueChange={setQuery} placeholder="Where to? Type > for actions" className="h-12 w-full border-b border-line bg-transparent px-4 text-body outline-none" />
            <Command.List className="max-h-[min(26rem,60dvh)] overflow-y-auto overscroll-contain p-1.5 [&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-meta [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-text-3">
              <Command.Empty className="px-3 py-8 text-center text-ui text-text-3">Nothing by that name</Command.Empty>
              {current && (
                <Command.Group heading={titleOf(current)}>
                  <Item icon={Pin} onSelect={() => run(() => void togglePin(current))} text={current.pinned ? "Unpin this session" : "Pin this session"} />
                  <Item icon={Link2} onSelect={() => run(() => void copyLink(current))} text="Copy link to this session" />
                  <Item icon={FilePlus} onSelect={() => run(() => duplicate(current))} text="New session in this folder" />
                  {current.live && <Item icon={Square} onSelect={() => run(() => void endSession(current))} text="End this session" />}
                </Command.Group>
              )}
              {!onlyActions && rows.length > 0 && (
                <Command.Group heading="Sessions">
                  {rows.map((row) => (
                    <Command.Item key={row.id} value={`${titleOf(row)} ${row.info.cwd} ${row.id}`} onSelect={() => go(to.session(row.id))} className={ITEM}>
                      <StatusMark
                        status={statusOf({ live: row.live, presence: row.info.presence, isActive: row.info.isActive, heardAt: row.heardAt, meta: row.meta, decisions: waiting.has(row.id) ? 1 : 0, failed: row.failed !== undefined, unread: false, starting: false, now: serverNow() })}
                      />
                      <span className="min-w-0 flex-1 truncate">{titleOf(row)}</span>
                      <span className="truncate text-meta text-text-3">{baseName(row.info.cwd)}</span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              <Command.Group heading="Actions">
                <Item icon={Plus} keys="Mod+Shift+O" onSelect={() => go(to.home({ new: "1" }))} text="New session" />
                <Item icon={Sun} onSelect={() => run(() => setPref("theme", "light"))} text="Light theme" />
                <Item icon={Moon} onSelect={() => run(() => setPref("theme", "dark"))} text="Dark theme" />
                <Item icon={Paint} onSelect={() => run(() => setPref("theme", "system"))} text="Theme of the system" />
                <Item icon={LogOut} onSelect={() => run(() => void leave().catch((error: unknown) => toast(messageOf(error), { tone: "fail" })))} text="Sign out" />
              </Command.Group>
              {!onlyActions && (
                <>
                  <Command.Group heading="Go to">
                    <Item icon={House} onSelect={() => go(to.home())} text="Home" />
                    <Item icon={History} keys="Mod+Shift+H" onSelect={() => go(to.history())} text="History" />
                    <Item icon={Laptop} onSelect={() => go(to.runners())} text="Machines" />
                    <Item icon={Webhook} onSelect={() => go(to.automations())} text="Automations" />
                    <Item icon={Settings} onSelect={() => go(to.settings("account"))} text="Account" />
                    <Item icon={Paint} onSelect={() => go(to.settings("appearance"))} text="Appearance" />
                    <Item icon={Settings} onSelect={() => go(to.settings("notifications"))} text="Notifications" />
                    <Item icon={KeyRound} onSelect={() => go(to.settings("keys"))} text="Keys" />
                    <Item icon={Settings} onSelect={() => go(to.settings("shortcuts"))} text="Keyboard shortcuts" />
                  </Command.Group>
                  {list.length > 0 && (
                    <Command.Group heading="Machines">
                      {list.map((machine) => (
                        <Item key={machine.id} icon={Laptop} value={`machine ${runnerName(machine.info)} ${machine.id}`} onSelect={() => go(to.runner(machine.id))} text={runnerName(machine.info)} />
                      ))}
                    </Command.Group>
                  )}
                  {folders.length > 0 && (
                    <Command.Group heading="New session in">
                      {folders.map(({ machine, path }) => (
                        <Item key={`${machine.id}${path}`} icon={Folder} value={`folder ${path} ${machine.id}`} onSelect={() => go(to.home({ runner: machine.id, cwd: path }))} text={shortPath(path)} />
                      ))}
                    </Command.Group>
                  )}
                </>
              )}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Every word must occur; earlier is better. */
export function score(value: string, search: string): number {
  const text = value.toLowerCase();
  let total = 1;
  for (const word of search.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = text.indexOf(word);
    if (at < 0) return 0;
    total *= 1 / (1 + at / 40);
  }
  return total;
}

function Item({ icon, text, keys, value, onSelect }: { icon: LucideIcon; text: ReactNode; keys?: string; value?: string; onSelect: () => void }) {
  return (
    <Command.Item value={value ?? String(text)} onSelect={onSelect} className={ITEM}>
      <Icon icon={icon} className="text-text-3" />
      <span className="min-w-0 flex-1 truncate">{text}</span>
      {keys && <Kbd keys={spell(keys)} />}
    </Command.Item>
  );
}
