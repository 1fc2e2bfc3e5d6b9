import { spell } from "@/app/hotkeys";
import { Dialog } from "@/ui/Dialog";
import { Section } from "@/ui/bits";

const GROUPS: { title: string; keys: { keys: string[]; does: string }[] }[] = [
  {
    title: "Anywhere",
    keys: [
      { keys: ["Mod+K"], does: "Search and commands" },
      { keys: ["Mod+Shift+O"], does: "New session" },
      { keys: ["Mod+Shift+H"], does: "History" },
      { keys: ["/"], does: "Search sessions" },
      { keys: ["Alt+ArrowUp", "Alt+ArrowDown"], does: "Previous, next session" },
      { keys: ["Alt+Shift+ArrowDown"], does: "Next session that needs you" },
      { keys: ["F6"], does: "Next part of the screen" },
      { keys: ["?"], does: "This list" },
    ],
  },
  {
    title: "In a session",
    keys: [
      { keys: ["Mod+Enter"], does: "Send, or steer while it works" },
      { keys: ["Mod+."], does: "Stop" },
      { keys: ["Ctrl+Backquote"], does: "Terminal" },
      { keys: ["Mod+Shift+E"], does: "Files" },
      { keys: ["Mod+Shift+G"], does: "Changes" },
      { keys: ["Mod+P"], does: "Find a file" },
      { keys: ["Mod+F"], does: "Find in the conversation" },
      { keys: ["J", "K"], does: "Next, previous row" },
      { keys: ["End"], does: "Jump to the latest" },
    ],
  },
  {
    title: "On a session in the list",
    keys: [
      { keys: ["Enter"], does: "Open" },
      { keys: ["P"], does: "Pin or unpin" },
      { keys: ["U"], does: "Read or unread" },
      { keys: ["Delete"], does: "End" },
    ],
  },
];

export function Shortcuts() {
  return (
    <div className="flex flex-col gap-6">
      {GROUPS.map((group) => (
        <Section key={group.title} title={group.title}>
          <dl className="flex flex-col divide-y divide-line">
            {group.keys.map((entry) => (
              <div key={entry.does} className="flex min-h-9 items-center gap-4">
                <dt className="flex-1 text-ui">{entry.does}</dt>
                <dd className="flex gap-1.5">
                  {entry.keys.map((keys) => (
                    <kbd key={keys} className="rounded-ctl border border-line bg-sunken px-1.5 py-0.5 font-sans text-meta text-text-2">
                      {spell(keys)}
                    </kbd>
                  ))}
                </dd>
              </div>
            ))}
          </dl>
        </Section>
      ))}
    </div>
  );
}

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onClose={onClose} title="Keyboard" className="m:w-[min(34rem,calc(100vw-32px))]">
      <div className="pb-4" tabIndex={0} role="group" aria-label="Shortcuts">
        <Shortcuts />
      </div>
    </Dialog>
  );
}
